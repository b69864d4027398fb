// One line each, on stderr.

function line(level: string, text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${level} ${text}\n`);
}

export const log = {
  info: (text: string) => line("INFO", text),
  warn: (text: string) => line("WARNING", text),
  error: (text: string) => line("ERROR", text),
};
