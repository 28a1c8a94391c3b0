// Runs commands as a stranger's shell does: their output is kept, a failure carries it.
import { spawn } from "node:child_process";

/** Long enough for everything here: a command that is still running then hangs. */
const SECONDS = 180;

/** Runs a command to its end, whatever that is. */
export function run(file, args, { cwd, seconds = SECONDS } = {}) {
  const { NODE_OPTIONS, ...env } = process.env;
  const child = spawn(file, args, {
    cwd,
    env: { ...env, NO_COLOR: "1", CI: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const command = [file, ...args].join(" ");
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      child.kill("SIGKILL");
    }, seconds * 1000);
    child.on("error", reject).on("close", (code) => {
      clearTimeout(timer);
      resolve({ command, code: hung ? `none: stopped after ${seconds} s` : code, stdout, output });
    });
  });
}

/** Runs a command that must exit with 0. */
export async function succeed(file, args, options) {
  const result = await run(file, args, options);
  if (result.code !== 0) throw new Failure(result);
  return result;
}

/** What a command did instead of what it should. */
export class Failure extends Error {
  constructor({ command, code, output }, expected = "exit code 0") {
    super(`expected ${expected}\n$ ${command}\n${excerpt(output)}\nexit code ${code}`);
    this.name = "Failure";
  }
}

/** The beginning and the end of a long text, its long lines cut. */
function excerpt(text) {
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => (line.length > 300 ? `${line.slice(0, 300)}… (${line.length} characters)` : line));
  if (lines.length <= 40) return lines.join("\n");
  return [...lines.slice(0, 25), `… (${lines.length - 40} lines)`, ...lines.slice(-15)].join("\n");
}
