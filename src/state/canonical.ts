/**
 * The canonical form of plain data: bytes for hashing, where equal data give equal bytes and different data different
 * bytes. Left out on purpose: reading it back; what is to be read again is written as tagged JSON (tagged-json.ts).
 */
import {
  checkDepth,
  checkNumber,
  describe,
  isBytes,
  isPlainRecord,
  isTable,
  type PathPart,
  presentNames,
  refuse,
} from "./plain-data.js";

// Type tags of the canonical form. Every value is a tag and, where the tag does not fix it, a length, so no encoding
// is a prefix of another and concatenations cannot be confused.
const TAG = {
  null: 0x6e,
  false: 0x66,
  true: 0x74,
  number: 0x64,
  bigint: 0x69,
  utf8: 0x73,
  utf16: 0x75,
  bytes: 0x62,
  array: 0x61,
  record: 0x72,
  table: 0x6d,
} as const;

class CanonicalWriter {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  value(value: unknown, path: PathPart[]): void {
    switch (typeof value) {
      case "number":
        this.#reserve(9);
        this.#bytes[this.#length] = TAG.number;
        this.#view.setFloat64(this.#length + 1, checkNumber(value, path));
        this.#length += 9;
        break;
      case "string":
        this.#string(value);
        break;
      case "boolean":
        this.#tag(value ? TAG.true : TAG.false);
        break;
      case "bigint":
        this.#tag(TAG.bigint);
        this.#string(value.toString(16));
        break;
      case "object":
        this.#object(value, path);
        break;
      default:
        refuse(path, describe(value));
    }
  }

  result(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #object(value: object | null, path: PathPart[]): void {
    checkDepth(path);
    if (value === null) {
      this.#tag(TAG.null);
    } else if (Array.isArray(value)) {
      this.#tag(TAG.array);
      this.#size(value.length);
      for (let index = 0; index < value.length; index++) {
        path.push(index);
        this.value(value[index], path);
        path.pop();
      }
    } else if (isBytes(value)) {
      this.#tag(TAG.bytes);
      this.#size(value.length);
      this.#raw(value);
    } else if (isTable(value)) {
      const entries = [...value.entries()];
      this.#tag(TAG.table);
      this.#size(entries.length);
      for (const [key, item] of entries) {
        this.#size(key);
        path.push(key);
        this.value(item, path);
        path.pop();
      }
    } else if (isPlainRecord(value)) {
      const names = presentNames(value, path);
      this.#tag(TAG.record);
      this.#size(names.length);
      for (const name of names) {
        this.#string(name);
        path.push(name);
        this.value(value[name], path);
        path.pop();
      }
    } else refuse(path, describe(value));
  }

  #string(text: string): void {
    const start = this.#length;
    this.#reserve(5 + text.length);
    this.#bytes[start] = TAG.utf8;
    this.#view.setUint32(start + 1, text.length);
    let at = start + 5;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) {
        this.#wideString(text);
        return;
      }
      this.#bytes[at++] = unit;
    }
    this.#length = at;
  }

  #wideString(text: string): void {
    const utf8 = new TextEncoder().encode(text);
    // A lone surrogate has no UTF-8 form (the encoder puts U+FFFD there), so such a string is written as code units.
    if (new TextDecoder("utf-8", { ignoreBOM: true }).decode(utf8) === text) {
      this.#tag(TAG.utf8);
      this.#size(utf8.length);
      this.#raw(utf8);
      return;
    }
    this.#tag(TAG.utf16);
    this.#size(text.length);
    this.#reserve(2 * text.length);
    for (let index = 0; index < text.length; index++) {
      this.#view.setUint16(this.#length, text.charCodeAt(index));
      this.#length += 2;
    }
  }

  #tag(tag: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = tag;
  }

  #size(size: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, size);
    this.#length += 4;
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + size));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/**
 * The canonical bytes of plain data: the same for equal data on every host, different for different data.
 * Throws a VirtlabError that names the path of anything that is not plain data.
 */
export function encodeCanonical(value: unknown): Uint8Array {
  const writer = new CanonicalWriter();
  writer.value(value, []);
  return writer.result();
}
