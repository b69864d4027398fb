//! Credentials of each kind, made here so that nobody takes the file for a leak; and what looks like one and is none.

use super::text::in_text;
use super::{Certainty, Found};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Numbers without meaning, the same each time (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet = alphabet.as_bytes();
        (0..length).map(|_| alphabet[self.next() as usize % alphabet.len()] as char).collect()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 11) as u8).collect()
    }

    fn alphanumeric(&mut self, length: usize) -> String {
        self.of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length)
    }

    fn hex(&mut self, length: usize) -> String {
        self.of("0123456789abcdef", length)
    }

    fn upper(&mut self, length: usize) -> String {
        self.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", length)
    }

    fn digits(&mut self, length: usize) -> String {
        self.of("123456789", length)
    }

    fn url(&mut self, length: usize) -> String {
        // Neither begins nor ends in a mark, which would be a matter of the sentence around it.
        let inner =
            self.of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", length - 2);
        format!("{}{inner}{}", self.alphanumeric(1), self.alphanumeric(1))
    }

    fn base64(&mut self, bytes: usize) -> String {
        STANDARD.encode(self.bytes(bytes))
    }

    fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|length| self.hex(length)).join("-")
    }

    fn json_web_token(&mut self, head: &str) -> String {
        let claims = format!(r#"{{"sub":"{}","exp":1900000000}}"#, self.digits(9));
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(head), part(&claims), URL_SAFE_NO_PAD.encode(self.bytes(32)))
    }
}

/// A credential of each kind.
pub(super) fn credentials(seed: u64) -> Vec<(&'static str, String)> {
    let r = &mut Random(seed);
    let pem = |r: &mut Random, name: &str| {
        let lines: Vec<String> = (0..4).map(|_| r.base64(48)).collect();
        let (dashes, body) = ("-----", lines.join("\n"));
        format!("{dashes}BEGIN {name}{dashes}\n{body}\n{dashes}END {name}{dashes}")
    };
    vec![
        ("aws_access_key_id", format!("AKIA{}", r.upper(16))),
        ("aws_bedrock_api_key", format!("ABSK{}", r.base64(99))),
        ("google_api_key", format!("AIza{}", r.url(35))),
        ("google_oauth_client_secret", format!("GOCSPX-{}", r.url(28))),
        ("google_oauth_access_token", format!("ya29.{}", r.url(120))),
        ("google_oauth_refresh_token", format!("1//0{}", r.url(60))),
        ("azure_storage_account_key", format!("AccountKey={}", r.base64(64))),
        ("azure_shared_access_key", format!("SharedAccessKey={}", r.base64(32))),
        ("azure_client_secret", format!("{}8Q~{}", r.alphanumeric(3), r.alphanumeric(34))),
        (
            "azure_shared_access_signature",
            format!("https://a.blob.core.windows.net/c/f?sv=2024-01-01&sig={}", r.base64(32)),
        ),
        ("alibaba_access_key_id", format!("LTAI{}", r.alphanumeric(20))),
        ("digitalocean_token", format!("dop_v1_{}", r.hex(64))),
        ("databricks_token", format!("dapi{}", r.hex(32))),
        ("heroku_api_key", format!("HRKU-AA{}", r.url(58))),
        ("netlify_token", format!("nfp_{}", r.alphanumeric(36))),
        ("planetscale_token", format!("pscale_tkn_{}", r.url(43))),
        ("supabase_token", format!("sbp_{}", r.hex(40))),
        ("supabase_secret_key", format!("sb_secret_{}", r.url(31))),
        ("github_token", format!("ghp_{}", r.alphanumeric(36))),
        (
            "github_fine_grained_token",
            format!("github_pat_{}_{}", r.alphanumeric(22), r.alphanumeric(59)),
        ),
        ("gitlab_token", format!("glpat-{}", r.url(20))),
        ("bitbucket_token", format!("ATBB{}", r.alphanumeric(32))),
        ("atlassian_token", format!("ATATT3{}", r.url(186))),
        ("npm_token", format!("npm_{}", r.alphanumeric(36))),
        ("pypi_token", format!("pypi-AgEIcHlwaS5vcmc{}", r.url(150))),
        ("rubygems_token", format!("rubygems_{}", r.hex(48))),
        ("docker_token", format!("dckr_pat_{}", r.url(27))),
        ("artifactory_api_key", format!("AKCp{}", r.alphanumeric(69))),
        ("pulumi_token", format!("pul-{}", r.hex(40))),
        ("terraform_token", format!("{}.atlasv1.{}", r.alphanumeric(14), r.url(67))),
        ("vault_token", format!("hvs.{}", r.url(95))),
        ("doppler_token", format!("dp.pt.{}", r.alphanumeric(43))),
        ("age_secret_key", format!("AGE-SECRET-KEY-1{}", r.upper(58))),
        ("anthropic_api_key", format!("sk-ant-api03-{}-{}AA", r.url(80), r.alphanumeric(6))),
        ("openai_api_key", format!("sk-{}T3BlbkFJ{}", r.alphanumeric(20), r.alphanumeric(20))),
        ("openai_api_key", format!("sk-proj-{}", r.url(120))),
        ("openrouter_api_key", format!("sk-or-v1-{}", r.hex(64))),
        ("huggingface_token", format!("hf_{}", r.alphanumeric(34))),
        ("replicate_token", format!("r8_{}", r.alphanumeric(37))),
        ("groq_api_key", format!("gsk_{}", r.alphanumeric(52))),
        ("perplexity_api_key", format!("pplx-{}", r.alphanumeric(48))),
        ("stripe_api_key", format!("sk_live_{}", r.alphanumeric(24))),
        ("stripe_api_key", format!("rk_test_{}", r.alphanumeric(99))),
        ("stripe_webhook_secret", format!("whsec_{}", r.alphanumeric(32))),
        ("square_token", format!("sq0atp-{}", r.url(22))),
        ("plaid_access_token", format!("access-sandbox-{}", r.uuid())),
        ("slack_token", format!("xoxb-{}-{}-{}", r.digits(12), r.digits(13), r.alphanumeric(24))),
        (
            "slack_webhook",
            format!(
                "https://hooks.slack.com/services/T{}/B{}/{}",
                r.upper(8),
                r.upper(10),
                r.alphanumeric(24)
            ),
        ),
        (
            "discord_webhook",
            format!("https://discord.com/api/webhooks/{}/{}", r.digits(18), r.url(68)),
        ),
        ("telegram_bot_token", format!("{}:AA{}", r.digits(10), r.url(33))),
        ("shopify_token", format!("shpat_{}", r.hex(32))),
        ("hubspot_token", format!("pat-na1-{}", r.uuid())),
        ("salesforce_access_token", format!("00D{}!{}", r.alphanumeric(15), r.alphanumeric(96))),
        ("salesforce_refresh_token", format!("5Aep861{}", r.alphanumeric(80))),
        ("airtable_token", format!("pat{}.{}", r.alphanumeric(14), r.hex(64))),
        ("notion_token", format!("ntn_{}{}", r.digits(11), r.alphanumeric(35))),
        ("linear_token", format!("lin_api_{}", r.alphanumeric(40))),
        ("figma_token", format!("figd_{}", r.url(40))),
        ("postman_api_key", format!("PMAK-{}-{}", r.hex(24), r.hex(34))),
        ("facebook_access_token", format!("EAAC{}", r.alphanumeric(160))),
        ("sendgrid_api_key", format!("SG.{}.{}", r.url(22), r.url(43))),
        ("brevo_api_key", format!("xkeysib-{}-{}", r.hex(64), r.alphanumeric(16))),
        ("grafana_token", format!("glsa_{}_{}", r.alphanumeric(32), r.hex(8))),
        ("new_relic_key", format!("NRAK-{}", r.upper(27))),
        ("sentry_token", format!("sntryu_{}", r.hex(64))),
        ("json_web_token", r.json_web_token(r#"{"alg":"HS256","typ":"JWT"}"#)),
        ("private_key", pem(r, "RSA PRIVATE KEY")),
        ("private_key", pem(r, "OPENSSH PRIVATE KEY").replace('\n', "\\n")),
        ("private_key", pem(r, "PGP PRIVATE KEY BLOCK")),
        ("url_password", format!("postgresql://app:{}@db.internal:5432/app", r.alphanumeric(12))),
        ("url_password", format!("redis://:{}@cache:6379/0", r.alphanumeric(20))),
        ("url_password", format!("https://bot:{}@git.example.org/x.git", r.alphanumeric(20))),
        (
            "connection_string_password",
            format!(
                "Server=tcp:db,1433;Database=app;User ID=sa;Password={};Encrypt=true",
                r.alphanumeric(14)
            ),
        ),
        ("connection_string_password", format!("host=db user=app password={}", r.alphanumeric(14))),
        ("authorization_header", format!("Authorization: Bearer {}", r.alphanumeric(40))),
        (
            "authorization_header",
            format!(
                "Authorization: Basic {}",
                STANDARD.encode(format!("app:{}", r.alphanumeric(12)))
            ),
        ),
        (
            "query_secret",
            format!("https://api.example.org/v1/x?access_token={}", r.alphanumeric(40)),
        ),
        ("query_secret", format!("https://hooks.example.org/x?token={}7x4k", r.alphanumeric(30))),
        ("query_secret", format!("https://example.org/x?v=1&password={}7!", r.alphanumeric(8))),
        ("query_secret", format!("https://example.org/x?subscription-key={}", r.hex(32))),
        ("authorization_header", format!("Authorization: Bearer {}7x4", r.alphanumeric(8))),
        (
            "connection_string_password",
            format!("jdbc:oracle:thin:scott/{}@db:1521:orcl", r.alphanumeric(12)),
        ),
        (
            "connection_string_password",
            format!("cache.example.org:6380,password={}=,ssl=True", r.alphanumeric(20)),
        ),
        (
            "connection_string_password",
            format!("jdbc:sqlserver://db:1433;user=sa;password={}", r.alphanumeric(12)),
        ),
        ("url_password", format!("amqps://app:{}@mq.example.org/v", r.alphanumeric(12))),
        ("url_password", format!("mongodb+srv://app:{}@c0.example.org/x", r.alphanumeric(12))),
        ("url_password", format!("rediss://default:{}@cache:6380", r.alphanumeric(12))),
        ("curl_password", format!("curl -s -u app:{} https://example.org", r.alphanumeric(12))),
        ("npm_token", format!("//registry.example.org/:_authToken={}", r.uuid())),
    ]
}

fn all(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    in_text(text, &mut |one| {
        found.push(one);
        true
    });
    found
}

fn certain(text: &str) -> Vec<&'static str> {
    let is_certain = |found: &Found| found.certainty == Certainty::Certain;
    all(text).iter().filter(|found| is_certain(found)).map(|found| found.kind).collect()
}

#[test]
fn each_kind_is_found_wherever_it_stands() {
    let mut kinds = std::collections::BTreeSet::new();
    for seed in [1, 77, 4_242, 123_456_789] {
        for (kind, credential) in credentials(seed) {
            kinds.insert(kind);
            for text in [
                credential.clone(),
                format!("please use {credential}, thank you"),
                format!("TOKEN={credential}\nNEXT=1"),
                format!("\"{credential}\""),
                format!("`{credential}`"),
                format!("\u{1f511}{credential}\u{2026}"),
                format!("a\\n{credential}\\nb"),
            ] {
                assert_eq!(certain(&text), [kind], "{text}");
            }
        }
    }
    assert!(kinds.len() >= 60, "{}", kinds.len());
}

#[test]
fn what_is_found_is_the_secret_and_little_more() {
    let text = "see postgresql://app:hunter2@db/app and postgres://x:y1z2@h";
    let found: Vec<&str> = all(text).into_iter().map(|found| &text[found.range]).collect();
    assert_eq!(found, ["hunter2", "y1z2"]);
}

/// What stands in records, configurations and conversations, and is no secret.
pub(super) fn harmless(seed: u64) -> Vec<String> {
    let r = &mut Random(seed);
    let mut texts = Vec::new();
    for round in 0..100 {
        let cuid = format!("c{}", r.of("abcdefghijklmnopqrstuvwxyz0123456789", 23));
        let (sha1, sha256, md5) = (r.hex(40), r.hex(64), r.hex(32));
        let cursor = STANDARD.encode(format!(r#"{{"id":{},"at":"2026-01-01"}}"#, r.digits(6)));
        let unsigned = {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}.", part(r#"{"alg":"none"}"#), part(r#"{"sub":"1"}"#))
        };
        texts.extend([
            r.uuid(),
            cuid.clone(),
            r.upper(26),
            r.url(21),
            sha1.clone(),
            sha256.clone(),
            md5.clone(),
            format!("sha256:{sha256}"),
            format!("W/\"{md5}\""),
            format!("\"{}-{}\"", r.hex(32), r.digits(2)),
            // Tokens of pages and of syncs, whatever the parameter is called.
            format!("https://example.com/items?token={cursor}"),
            format!("https://example.com/items?token=CA{}", r.alphanumeric(30)),
            format!("https://example.com/items?token={}", r.uuid()),
            format!("https://example.com/items?syncToken={}", r.url(40)),
            format!("https://example.com/items?next_token={}&$skiptoken={}", r.url(40), r.url(40)),
            format!("https://example.com/items?continuation-token={}", r.base64(60)),
            format!("next_page_token = \"{}\"", r.url(40)),
            format!("sync-token: {}", r.url(40)),
            format!("CACHE_KEY={}", r.hex(32)),
            format!("primary_key: {}", r.uuid()),
            // Salesforce: ids of 15 and 18 characters, an organisation among them.
            format!("001{}", r.alphanumeric(12)),
            format!("00D{}", r.alphanumeric(15)),
            format!("00D{}!", r.alphanumeric(12)),
            format!("a0X{}", r.alphanumeric(15)),
            format!("005{}", r.alphanumeric(12)),
            format!("user{}@example.com", r.digits(4)),
            format!("mailto:{}@mail.example.co.uk", r.of("abcdefgh", 8)),
            format!("https://example.com/items?page_token={}&limit=50", r.url(60)),
            format!("https://example.com/items?cursor={cursor}"),
            format!("https://example.com/a/{cuid}?etag={md5}#top"),
            format!("https://example.com:8443/@user/{}", r.digits(6)),
            format!(
                "https://x.my.salesforce.com/services/data/v60.0/query/01g{}-2000",
                r.alphanumeric(15)
            ),
            format!("/services/data/v60.0/sobjects/Account/001{}", r.alphanumeric(15)),
            cursor.clone(),
            URL_SAFE_NO_PAD.encode(r.bytes(30)),
            STANDARD.encode(r.bytes(64)),
            format!("data:image/png;base64,iVBORw0KGgo{}", r.base64(1_200)),
            format!("data:image/jpeg;base64,/9j/4AAQSkZJRgABAQEAYABgAAD{}", r.base64(1_200)),
            unsigned,
            format!("eyJ{}", r.url(40)),
            format!("eyJ{}.{}", r.alphanumeric(30), r.alphanumeric(30)),
            format!("eyJ{}.eyJ{}.{}", r.alphanumeric(30), r.alphanumeric(30), r.alphanumeric(43)),
            format!("pk_live_{}", r.alphanumeric(24)),
            format!("price_{}", r.alphanumeric(24)),
            format!("cus_{}", r.alphanumeric(14)),
            format!("sub_1{}", r.alphanumeric(23)),
            format!("ch_3{}", r.alphanumeric(23)),
            format!("req_{}", r.alphanumeric(14)),
            format!("evt_1{}", r.alphanumeric(23)),
            format!("msg_{}", r.alphanumeric(24)),
            format!("AC{md5}"),
            format!("SM{md5}"),
            format!("cache:key-{}", r.digits(8)),
            format!("git@github.com:org/{}.git", r.of("abcdef", 8)),
            format!("arn:aws:s3:::bucket/{}", r.uuid()),
            format!("s3://bucket/{sha1}/part-0001.parquet"),
            format!("commit {sha1} (HEAD -> main)"),
            format!("2026-11-{:02}T10:00:00.{}Z", round % 28 + 1, r.digits(6)),
            format!("{}:{}", r.digits(10), r.digits(10)),
            format!("vault:secret/data/{cuid}#token"),
        ]);
    }
    let fixed = [
        "Bearer token authentication is required",
        "Basic authentication is not enough",
        "the header Authorization: Bearer <token>",
        "postgres://localhost/app",
        "postgres://app@localhost/app",
        "postgres://app:${DB_PASSWORD}@db/app",
        "postgres://user:password@localhost/db",
        "https://user:****@example.com",
        "a key begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-your-key-here",
        "sk_live_...",
        "sk-learn and sk-something-else-that-is-long-but-no-key-of-anybody",
        "password=",
        "Server=db;Password={password}",
        "time 10:30:00, ratio 16:9, a://b",
        "live_stream_of_the_event_in_the_park_at_noon",
        "test_0123456789abcdef0123456789abcdef012",
        "re_import_of_the_records_2026",
        "xoxo, your friend",
        "Bearer of news, bearer 12345",
        "password: Passwort",
        "password: 8-64 characters, a digit among them",
        "Password: ********",
        "PASSWORD=",
        "PASSWORD=changeme",
        "PASSWORD=$PASSWORD",
        "PASSWORD=${DB_PASSWORD}",
        "PASSWORD_FILE=/run/secrets/db",
        "DB_PASSWORD=vault:team/db",
        "SECRET_NAME=my-app-2",
        "const password = getPassword();",
        "password = input1",
        "if (password == hash2) return",
        "password := hash2",
        "token_type=bearer&expires_in=3600",
        "api_key = os.environ[\"API_KEY\"]",
        "api_key = \"YOUR_API_KEY\"",
        "secret: my-app-secret-2",
        "the secret: nobody knows it in 2026",
        "-key: value1",
        "foreign_key: users.id2",
        "FOREIGN_KEY=orders_2_users_fk",
        "PUBLIC_KEY=pk_live_a1b2c3d4e5f6",
        "tar -u file:1 --user bob:staff",
        "docker run --user 1000:1000 img",
        "curl -u bob https://example.com",
        "jdbc:oracle:thin:@db:1521:orcl",
        "jdbc:oracle:thin:/@db",
        "https://example.com/login?password=reset",
        "pat yourself on the back",
        "https://example.com/?access_token=TOKEN",
        "https://example.com/?api_key=demo",
        "https://example.com:8443,bob@example.com",
        "http://host:8080|bob@x.com",
        "docker://localhost:5000@sha256:ab",
        "s3://bucket:prefix@v1",
        "UPDATE users SET password=crypt(x) WHERE username=bob",
        "if user.password==hash and user=x host=a",
        "sk-9e107d9d372bb6826bd81d3542a419d6",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    ];
    texts.extend(fixed.map(str::to_owned));
    texts
}

#[test]
fn ids_hashes_images_and_cursors_are_no_secrets() {
    let texts = harmless(99);
    assert!(texts.len() >= 5_000, "{}", texts.len());
    for text in texts {
        assert_eq!(certain(&text), [""; 0], "{text}");
    }
}

#[test]
fn what_names_are_given_is_found() {
    for (text, kind, value) in [
        ("PASSWORD=hunter2", "password", "hunter2"),
        ("export DB_PASSWORD='tr0ub4dor&3'", "password", "tr0ub4dor&3"),
        ("docker run -e POSTGRES_PASSWORD=hunter2 img", "password", "hunter2"),
        ("A=1\nPGPASSWORD=12345678\nB=2", "password", "12345678"),
        ("SECRET_KEY_BASE=q8Zr2LmN5tYx0K", "secret_key", "q8Zr2LmN5tYx0K"),
        ("const apiKey = \"abcd1234efgh\";", "api_key", "abcd1234efgh"),
        ("{ password: 'hunter2' }", "password", "hunter2"),
        ("X-Api-Key: abcd1234efgh", "api_key", "abcd1234efgh"),
        ("db:\n  - password: hunter2\n", "password", "hunter2"),
        ("[db]\npassword = tr0ub4dor&3\r\n", "password", "tr0ub4dor&3"),
        ("curl -u \"bob:hunter2\" https://example.com", "curl_password", "hunter2"),
    ] {
        let found: Vec<(&str, &str)> =
            all(text).into_iter().map(|found| (found.kind, &text[found.range])).collect();
        assert_eq!(found, [(kind, value)], "{text}");
    }
}

#[test]
fn a_text_is_read_once() {
    // Each literal again and again: a rule that looked far ahead from each would take hours.
    let texts = [
        "eyJ",
        "eyJ-",
        "eyJ.",
        "://",
        "a://b:",
        "Bearer ",
        "ya29.",
        "ya29.a-",
        "-----BEGIN PRIVATE KEY-----",
        "PuTTY-User-Key-File-",
        "pwd=a ",
        "password=",
        "T3BlbkFJ",
        "ops_eyJ+",
        "xoxb-",
        "glc_eyJ/",
        "sig=",
        "?sig=a",
        "access_token=",
        "&access_token=a",
        "sk-",
        ".atlasv1.",
        "Q~",
        ":AA",
        "hooks.slack.com/services/",
        "A_KEY=",
        "A_KEY=a1b2 ",
        "\npassword: a",
        "password='",
        "secret=\"a1",
        "?token=",
        "&token=a1",
        "curl -u ",
        " -u a:b",
        "jdbc:oracle:a/",
        "Authorization: Bearer a1b2",
    ];
    for text in texts {
        let long = text.repeat(200_000 / text.len());
        assert!(all(&long).len() <= long.len());
    }
}
