/** A file that tells gdb the names of addresses: an ELF file of one section without bytes, and symbols in it. Spec: elf(5). */

export interface Symbols {
  readonly bits: 32 | 64;
  /** Addresses by name; those of the upper half of 64 bits as unsigned numbers. */
  readonly addresses: ReadonlyMap<string, bigint>;
}

const MACHINE = { 32: 3, 64: 62 } as const;
const HEADER = { 32: 52, 64: 64 } as const;
const SECTION_HEADER = { 32: 40, 64: 64 } as const;
const SYMBOL = { 32: 16, 64: 24 } as const;
const EXECUTABLE = 2;
const TYPE = { progbits: 1, symbols: 2, strings: 3, nobits: 8 } as const;
/** Allocated, and code. */
const CODE = 6;
const GLOBAL_FUNCTION = 0x12;

/** Numbers one behind the other, each in so many bytes. */
function fields(...parts: readonly (readonly [bytes: number, value: number | bigint])[]): Buffer {
  return Buffer.concat(
    parts.map(([bytes, value]) => {
      const buffer = Buffer.alloc(8);
      buffer.writeBigUInt64LE(BigInt(value));
      return buffer.subarray(0, bytes);
    }),
  );
}

/** Texts, each with the byte 0 behind it, and where each begins. */
function stringTable(texts: readonly string[]): { readonly bytes: Buffer; readonly at: readonly number[] } {
  const at: number[] = [];
  let bytes = Buffer.alloc(1);
  for (const text of texts) {
    at.push(bytes.length);
    bytes = Buffer.concat([bytes, Buffer.from(`${text}\0`)]);
  }
  return { bytes, at };
}

export function symbolFile({ bits, addresses }: Symbols): Uint8Array {
  const word = bits / 8;
  const values = [...addresses.values()];
  const low = values.reduce((least, value) => (value < least ? value : least));
  const high = values.reduce((most, value) => (value > most ? value : most));
  const names = stringTable([...addresses.keys()]);
  const sections = stringTable([".text", ".symtab", ".strtab", ".shstrtab"]);
  const symbol = (name: number, value: bigint): Buffer =>
    bits === 32
      ? fields([4, name], [4, value], [4, 0], [1, GLOBAL_FUNCTION], [1, 0], [2, 1])
      : fields([4, name], [1, GLOBAL_FUNCTION], [1, 0], [2, 1], [8, value], [8, 0]);
  const table = Buffer.concat([
    Buffer.alloc(SYMBOL[bits]),
    ...values.map((value, index) => symbol(names.at[index]!, value)),
  ]);
  const bodies = [table, names.bytes, sections.bytes];
  const from = (index: number): number =>
    bodies.slice(0, index).reduce<number>((sum, { length }) => sum + length, HEADER[bits]);
  const header = (
    index: number,
    type: number,
    place: { flags?: number; address?: bigint; offset: number; size: number | bigint; link?: number; info?: number },
    entry = 0,
  ): Buffer =>
    fields(
      ...([
        [4, sections.at[index]!],
        [4, type],
        [word, place.flags ?? 0],
        [word, place.address ?? 0],
      ] as const),
      ...([
        [word, place.offset],
        [word, place.size],
        [4, place.link ?? 0],
        [4, place.info ?? 0],
      ] as const),
      ...([
        [word, 1],
        [word, entry],
      ] as const),
    );
  const headers = Buffer.concat([
    Buffer.alloc(SECTION_HEADER[bits]),
    header(0, TYPE.nobits, { flags: CODE, address: low, offset: HEADER[bits], size: high - low + 0x1_0000n }),
    header(1, TYPE.symbols, { offset: from(0), size: table.length, link: 3, info: 1 }, SYMBOL[bits]),
    header(2, TYPE.strings, { offset: from(1), size: names.bytes.length }),
    header(3, TYPE.strings, { offset: from(2), size: sections.bytes.length }),
  ]);
  const identification = Buffer.from([0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1, ...Array(9).fill(0)]);
  const start = fields(
    ...([
      [2, EXECUTABLE],
      [2, MACHINE[bits]],
      [4, 1],
      [word, 0],
      [word, 0],
      [word, from(3)],
      [4, 0],
    ] as const),
    ...([
      [2, HEADER[bits]],
      [2, 0],
      [2, 0],
      [2, SECTION_HEADER[bits]],
      [2, 5],
      [2, 4],
    ] as const),
  );
  return Buffer.concat([identification, start, ...bodies, headers]);
}
