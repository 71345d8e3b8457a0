/** What devices put out is kept as text of one character a byte; this is between that, bytes, and the UTF-8 that people read. */
const utf8 = new TextDecoder();

/** Text as a device puts it out: a character a byte of its UTF-8. */
export const asOutput = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));

export const bytesOf = (output: string): Uint8Array => Uint8Array.from(output, (character) => character.charCodeAt(0));

export const textOf = (output: string): string => utf8.decode(bytesOf(output));
