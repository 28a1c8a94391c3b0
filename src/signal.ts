// Aborting.

/** The part of AbortSignal that is used: the class is not everywhere, nor are its types. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason?: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
