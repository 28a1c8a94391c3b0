// Batches that arrive one after the other, for data larger than memory: the next one is read while this one trains.

import { quote, wrongType } from "./check.js";
import type { Rows } from "./dataset.js";

/** A batch of a stream, a step of training: [inputs, targets] or [inputs, targets, sampleWeights]. */
export type StreamBatch = readonly Rows[];

type Batches = AsyncIterable<StreamBatch> | Iterable<StreamBatch>;

/**
 * Batches for `fit`, one after the other: an iterable, async or not, or a function that makes one for each epoch. A
 * generator can be gone through once, so for more than one epoch pass the generator function.
 */
export type BatchStream = AsyncIterable<StreamBatch> | Generator<StreamBatch> | ((epoch: number) => Batches);

/** Whether what `fit` is given first are batches, and not inputs. */
export function isStream(value: unknown): value is BatchStream {
  if (typeof value === "function") return true;
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    return false;
  return Symbol.asyncIterator in value || typeof (value as Generator).next === "function";
}

/** Goes through the batches of a stream, one ahead of who takes them. */
export class BatchReader {
  readonly #stream: BatchStream;
  #iterator: Iterator<StreamBatch> | AsyncIterator<StreamBatch> | undefined;
  #next: Promise<IteratorResult<StreamBatch>> | undefined;
  #epoch = 1;
  /** Number of the batch that is read next, in its epoch. */
  #index = 0;
  /** Whether an epoch goes on behind the end of the stream, from its beginning. */
  readonly #endless: boolean;

  constructor(stream: BatchStream, { endless = false } = {}) {
    this.#stream = stream;
    this.#endless = endless;
  }

  /** Begins an epoch, 1 for the first: with the stream's first batch, or, if epochs go on, with the next one. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#index = 0;
    if (!this.#endless || !this.#iterator) this.#open();
  }

  #open(): void {
    const batches = typeof this.#stream === "function" ? this.#stream(this.#epoch) : this.#stream;
    const given = Object(batches) as Partial<AsyncIterable<StreamBatch> & Iterable<StreamBatch>>;
    const { [Symbol.asyncIterator]: begin = given[Symbol.iterator] } = given;
    if (typeof begin !== "function") {
      throw new TypeError(
        `the function of batches returned ${quote(batches)}, but must return an iterable of batches [inputs, targets]: ` +
          "make it a generator, function* or async function*",
      );
    }
    this.#iterator = (begin as () => AsyncIterator<StreamBatch>).call(given);
    this.#next = undefined;
  }

  /** Begins to read the next batch, unless that has begun. What it fails with, take() rejects with. */
  readAhead(): void {
    if (this.#next || !this.#iterator) return;
    const iterator = this.#iterator;
    // In an async function, so that what next() throws at once waits for take(), too.
    this.#next = (async () => iterator.next())();
    this.#next.catch(() => {});
  }

  async #read(): Promise<IteratorResult<StreamBatch>> {
    this.readAhead();
    const next = this.#next;
    const result = next ? await next : ({ done: true, value: undefined } as const);
    this.#next = undefined;
    if (result.done) this.#iterator = undefined;
    return result;
  }

  /** The next batch, or undefined behind the last. */
  async take(): Promise<StreamBatch | undefined> {
    let { done, value } = await this.#read();
    if (done && this.#endless) {
      this.#open();
      ({ done, value } = await this.#read());
    }
    if (done) return undefined;
    if (!Array.isArray(value) || value.length < 2 || value.length > 3) {
      throw wrongType(
        `batch ${this.#index + 1}`,
        value,
        "[inputs, targets] or [inputs, targets, sampleWeights]",
      );
    }
    this.#index++;
    return value;
  }

  /** Leaves the rest: a generator can clean up. Errors of that are of no interest any more. */
  close(): void {
    const iterator = this.#iterator;
    this.#iterator = undefined;
    this.#next = undefined;
    // Not awaited: it may wait for what never comes.
    (async () => iterator?.return?.())().catch(() => {});
  }
}
