/**
 * The line of gdb's remote protocol: packets out of bytes and bytes out of packets. A payload is a string here, a
 * character a byte.
 * Spec: GDB manual, appendix "GDB Remote Serial Protocol", section "Overview".
 */

/** What comes over the line. */
export type Received =
  | { readonly kind: "packet"; readonly payload: string }
  /** A packet whose checksum is wrong, or that is longer than any that was announced. */
  | { readonly kind: "damaged" }
  | { readonly kind: "acknowledged" }
  | { readonly kind: "repeat" }
  | { readonly kind: "interrupt" };

/** Bytes of the longest payload, as it stands on the line: what `qSupported` announces. */
export const PACKET_SIZE = 0x4000;

const [DOLLAR, HASH, ESCAPE, STAR, PLUS, MINUS, INTERRUPT] = [0x24, 0x23, 0x7d, 0x2a, 0x2b, 0x2d, 0x03] as const;
const ESCAPED_BIT = 0x20;

const hexByte = (value: number): string => value.toString(16).padStart(2, "0");

const text = (bytes: Uint8Array): string => {
  let all = "";
  for (const byte of bytes) all += String.fromCharCode(byte);
  return all;
};

function unescaped(bytes: Uint8Array): string {
  if (!bytes.includes(ESCAPE)) return text(bytes);
  const plain: number[] = [];
  for (let at = 0; at < bytes.length; at++)
    plain.push(bytes[at] === ESCAPE && at + 1 < bytes.length ? bytes[++at]! ^ ESCAPED_BIT : bytes[at]!);
  return text(Uint8Array.from(plain));
}

function packet(body: Uint8Array, checksum: string): Received {
  const sum = body.reduce((total, byte) => (total + byte) & 0xff, 0);
  if (!/^[0-9a-f]{2}$/i.test(checksum) || Number.parseInt(checksum, 16) !== sum || body.length > PACKET_SIZE)
    return { kind: "damaged" };
  return { kind: "packet", payload: unescaped(body) };
}

const single: Readonly<Record<number, Received>> = {
  [PLUS]: { kind: "acknowledged" },
  [MINUS]: { kind: "repeat" },
  [INTERRUPT]: { kind: "interrupt" },
};

/** What is complete in `bytes`, and the rest. Bytes between packets that mean nothing are passed over. */
export function take(bytes: Uint8Array): { readonly received: readonly Received[]; readonly rest: Uint8Array } {
  const received: Received[] = [];
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at]!;
    if (byte !== DOLLAR) {
      const known = single[byte];
      if (known !== undefined) received.push(known);
      at++;
      continue;
    }
    const hash = bytes.indexOf(HASH, at + 1);
    // A dollar sign in the middle: the packet before it was broken off.
    const again = bytes.subarray(at + 1, hash < 0 ? undefined : hash).lastIndexOf(DOLLAR);
    if (again >= 0) {
      received.push({ kind: "damaged" });
      at += again + 1;
    } else if (hash >= 0 && hash + 3 <= bytes.length) {
      received.push(packet(bytes.subarray(at + 1, hash), text(bytes.subarray(hash + 1, hash + 3))));
      at = hash + 3;
    } else if (bytes.length - at > PACKET_SIZE + 4) {
      received.push({ kind: "damaged" });
      at++;
    } else return { received, rest: bytes.slice(at) };
  }
  return { received, rest: new Uint8Array() };
}

/** A packet with this payload, as bytes. */
export function framed(payload: string): Uint8Array {
  const body: number[] = [];
  for (let at = 0; at < payload.length; at++) {
    const byte = payload.charCodeAt(at) & 0xff;
    if (byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === STAR) body.push(ESCAPE, byte ^ ESCAPED_BIT);
    else body.push(byte);
  }
  const sum = body.reduce((total, byte) => (total + byte) & 0xff, 0);
  return Uint8Array.from(
    [DOLLAR, ...body, HASH, ...hexByte(sum)].map((part) => (typeof part === "string" ? part.charCodeAt(0) : part)),
  );
}

/** Bytes in hexadecimal. */
export const toHex = (bytes: Uint8Array): string => Array.from(bytes, hexByte).join("");

/** Text in hexadecimal, as UTF-8. */
export const textToHex = (words: string): string => toHex(new TextEncoder().encode(words));

/** The bytes that hexadecimal digits stand for; undefined for anything else. */
export function fromHex(digits: string): Uint8Array | undefined {
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return undefined;
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}

/** A number as the protocol writes addresses and lengths: up to 16 hexadecimal digits. */
export const parseNumber = (digits: string): bigint | undefined =>
  /^[0-9a-f]{1,16}$/i.test(digits) ? BigInt(`0x${digits}`) : undefined;
