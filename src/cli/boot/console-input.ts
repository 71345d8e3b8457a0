/** Standard input as what is typed at a machine's serial port. */

/** What is typed, byte by byte as it comes. The end of standard input does not end the machine. */
export class ConsoleInput {
  #chunks: Uint8Array[] = [];
  #held = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  /** Not much more than `most` bytes are held: the rest waits where it comes from. */
  constructor(
    private readonly stdin: NodeJS.ReadStream,
    most = Number.POSITIVE_INFINITY,
  ) {
    stdin.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#held += chunk.length;
      if (this.#held >= most) stdin.pause();
      this.#wake?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    stdin.on("end", end);
    stdin.on("error", end);
  }

  /** Nothing more will be typed. */
  get ended(): boolean {
    return this.#ended && this.#chunks.length === 0;
  }

  typed(): Uint8Array {
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#held = 0;
    if (this.stdin.isPaused()) this.stdin.resume();
    return bytes;
  }

  /** Waits for something typed, or for a number of milliseconds; false when nothing has come. */
  async more(milliseconds: number): Promise<boolean> {
    const timer = Number.isFinite(milliseconds) ? setTimeout(() => this.#wake?.(), milliseconds) : undefined;
    if (this.#chunks.length === 0 && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    clearTimeout(timer);
    return this.#chunks.length > 0;
  }

  /** Ends a wait. */
  wake(): void {
    this.#wake?.();
  }

  close(): void {
    this.stdin.destroy();
  }
}
