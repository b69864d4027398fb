// One line each, on stderr.

const debugging = process.env["LOG_LEVEL"]?.toLowerCase() === "debug";

function line(level: string, text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${level} ${text}\n`);
}

export const log = {
  debug: (text: string) => void (debugging && line("DEBUG", text)),
  info: (text: string) => line("INFO", text),
  warn: (text: string) => line("WARNING", text),
};
