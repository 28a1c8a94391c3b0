// One contender as a child process that answers JSON lines.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class Child {
  #process;
  #waiting;
  #errors = "";

  /** Starts a command; `versions` then holds what its first line told. */
  static async start(command, args, env) {
    const child = new Child();
    child.#process = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.#process.stderr.on("data", (text) => {
      child.#errors = (child.#errors + text).slice(-2000);
    });
    child.#process.stdin.on("error", () => {});
    child.#process.on("error", (error) => child.#waiting?.({ error: error.message }));
    child.#process.on("close", () => child.#waiting?.({ error: child.#lastError() }));
    createInterface({ input: child.#process.stdout }).on("line", (line) =>
      child.#waiting?.(JSON.parse(line)),
    );
    child.versions = (await child.#reply(60)).versions;
    return child;
  }

  /** Sends a request and waits for its answer; throws if it is an error or does not come. */
  ask(request, limit) {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    return this.#reply(limit);
  }

  /** Whether more can be asked: it did not end, and is not busy with what took too long. */
  get alive() {
    return this.#process.exitCode === null && this.#process.signalCode === null && !this.#process.killed;
  }

  stop() {
    this.#process.kill();
  }

  async #reply(limit) {
    let timer;
    const reply = await new Promise((resolve) => {
      this.#waiting = resolve;
      timer = setTimeout(() => {
        this.stop();
        resolve({ error: `no answer in ${limit} s` });
      }, limit * 1000);
      if (!this.alive) resolve({ error: this.#lastError() });
    });
    clearTimeout(timer);
    this.#waiting = undefined;
    if (reply.error) throw new Error(reply.error);
    return reply;
  }

  /** The line of stderr that tells most. */
  #lastError() {
    const lines = this.#errors.trim().split("\n");
    return lines.find((line) => /Error\b.*:/.test(line))?.trim() || lines.at(-1) || "the process ended";
  }
}
