// The tables, in Markdown.
import { cpus, platform } from "node:os";
import { figure, tasks } from "./tasks.mjs";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function short(value) {
  if (value >= 10000) return `${(value / 1000).toFixed(value < 100000 ? 1 : 0)}k`;
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

function table(head, rows) {
  if (rows.length === 0) return "Not measured.";
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i ? "---:" : "---"))), ...rows.map(line)].join("\n");
}

/** Seconds a sample of every round: what ratios are made of. */
const costs = (entry, { answers }) =>
  answers.map(({ seconds, samples }) => (entry.unit === "s" ? seconds : seconds / samples));

/** `theirs` over `ours`, round by round: "2.10 (1.98–2.20)", above 1 where wasmgrad is faster. */
function ratio(entry, ours, theirs) {
  if (!ours || !theirs) return "-";
  const [a, b] = [costs(entry, ours), costs(entry, theirs)];
  const ratios = a.map((cost, i) => b[i] / cost);
  return `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
}

/** The run of a contender that was the fastest, in the median, of those that `eligible` says. */
function fastest(entry, runs, name, eligible) {
  const cost = (run) => median(costs(entry, run));
  return runs.filter((run) => run.name === name && eligible(run)).sort((a, b) => cost(a) - cost(b))[0];
}

/** "median / best" of the rounds, in the unit of the task. */
function absolute(entry, run) {
  if (!run) return "-";
  const { answers } = run;
  const figures = answers.map((answer) => figure(entry.unit, entry.task, answer));
  if (entry.unit === "%") return figures[0].toFixed(1);
  const best = entry.unit === "samples/s" ? Math.max(...figures) : Math.min(...figures);
  const epochs =
    entry.unit === "s"
      ? `, ${Math.max(...answers.map(({ samples }) => samples)) / entry.task.rows} epochs`
      : "";
  return `${short(median(figures))} / ${short(best)}${epochs}${run.variant ? `, ${run.variant}` : ""}`;
}

/** Problems with one cause on one line: "wasmgrad: no such option (float64 2: predict, xor-step)". */
function grouped(problems) {
  const groups = new Map();
  for (const { who, where, why } of problems) {
    const key = `${who}: ${why}`;
    groups.set(key, new Set(groups.get(key)).add(where));
  }
  return [...groups]
    .map(([text, places]) => `- ${text}${[...places][0] ? ` (${[...places].join("; ")})` : ""}`)
    .join("\n");
}

/**
 * @param results [{ name (of the task), dtype, runs: [{ name, variant?, threads, answers: [answer, ...] }] }], an answer
 *   being { seconds, samples, accuracy? }
 * @param names the contenders that took part
 * @param problems what is missing: [{ who, where, why }]
 */
export function report({ results, names, versions, problems, command, rounds }) {
  const rows = (timed, cells) =>
    results
      .map((result) => ({ ...result, entry: tasks.find((entry) => entry.name === result.name) }))
      .filter(({ entry }) => (entry.unit !== "%") === timed)
      .sort((a, b) => tasks.indexOf(a.entry) - tasks.indexOf(b.entry))
      .flatMap(({ entry, dtype, runs }) =>
        [...new Set(runs.map(({ threads }) => threads))].sort().map((threads) => {
          const of = (name, count = threads) => fastest(entry, runs, name, (run) => run.threads === count);
          const label = `${dtype.replace("float", "f")}, ${threads}`;
          return [entry.title, label, ...cells({ entry, runs, threads, of })];
        }),
      );
  const peers = names.filter((name) => name !== "wasmgrad");
  const sections = [
    "# wasmgrad and its peers",
    `\`${command}\`, ${new Date().toISOString().slice(0, 10)}, on ${cpus()[0].model.trim()} with ${cpus().length} cores, ` +
      `${platform()}. Medians of ${rounds} rounds. [How to read this](README.md).`,
    versions.map((line) => `- ${line}`).join("\n"),
    "## How many times as fast as each peer wasmgrad is",
    "Above 1 wasmgrad is faster. In brackets: the lowest and the highest of the rounds. On two threads it is set " +
      "against whichever of one and two is the faster for the peer.",
    table(
      ["Task", "dtype, threads", ...peers, "itself on one thread"],
      rows(true, ({ entry, runs, threads, of }) => [
        ...peers.map((name) =>
          ratio(
            entry,
            of("wasmgrad"),
            fastest(entry, runs, name, (run) => run.threads <= threads),
          ),
        ),
        threads > 1 ? ratio(entry, of("wasmgrad"), of("wasmgrad", 1)) : "-",
      ]),
    ),
    "## The figures themselves",
    "Median / best of the rounds. Machines are seldom quiet: it is the table above that compares.",
    table(
      ["Task", "dtype, threads", "unit", ...names],
      rows(true, ({ entry, of }) => [entry.unit, ...names.map((name) => absolute(entry, of(name)))]),
    ),
    "## Test accuracy, %",
    "That all of them learn the same thing: one pass over the samples, learning rate 0.1 (brain.js: its own), of Adam 0.001.",
    table(
      ["Task", "dtype, threads", ...names],
      rows(false, ({ entry, of }) => names.map((name) => absolute(entry, of(name)))),
    ),
  ];
  if (problems.length > 0) sections.push("## What is missing", grouped(problems));
  return `${sections.join("\n\n")}\n`;
}
