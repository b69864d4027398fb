# The commands behind Kepler. All of them prepare what they need (an embedded Postgres with pgvector,
# the pgrx cargo subcommand, a build of the extension) in one folder, .build, and can be repeated.
# Needed: Linux (x86_64 or aarch64) with Rust, a C compiler and Python 3 with pip; no root.
# On macOS the embedded Postgres is untried: use your own with make install.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-long psql install bench clean build start stop test-static test-regress accept upgrade-script

# PG=16 or PG=18 chooses a version. T="name …" chooses tests. SQL="…" is run by make psql.
export PG T TESTS PG_CONFIG SQL

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf 'make %-14s %s\n' "$$name" "$$text"; done

demo: ## The main jobs on real data, on a private Postgres 18 (PG=16 for the other)
	@tools/demo.sh

test: ## All tests, on Postgres 16 and 18 (PG=18 for one; T="name …" for some)
	@tools/test.sh

test-long: ## What takes minutes, in full: T="name …" PG=18
	@KEPLER_LONG=yes tools/test.sh

psql: ## A shell on the private server (PG=16; SQL="SELECT …" runs one command)
	@tools/psql.sh

install: ## Into your own Postgres 16, 17 or 18: PG_CONFIG=/path/to/pg_config
	@KEPLER_OWN_POSTGRES=1 tools/build.sh "$(PG_CONFIG)"

bench: ## The benchmarks, side by side with peers
	@tools/bench.sh

build: ## Build the extension for the private server (PG=16)
	@tools/build.sh "$(or $(PG),18)"

start: ## Start the private server (PG=16), built first
	@tools/serve.sh start

stop: ## Stop the private servers
	@tools/serve.sh stop

test-static: ## Only formatting, lints, links of the pages, unit and property tests
	@tools/test-static.sh

test-regress: ## Only the tests that need a server: T="name …" PG=18
	@tools/test-postgres.sh

accept: ## Take the present output of T="name …" as the expected one (PG=18)
	@ACCEPT=1 tools/test-postgres.sh

upgrade-script: ## Write the SQL that upgrades the extension from the last release (after any change of a function)
	@tools/upgrade-script.sh

clean: ## Stop the private servers and delete the build folder
	@tools/serve.sh clean
