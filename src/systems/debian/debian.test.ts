import { describe, expect, it } from "vitest";
import { bzImage } from "../../hardware/boot/linux-fixtures.test-helper.js";
import { cpio, file } from "./cpio.js";
import { dataOfPackage } from "./deb.js";
import { debianInitramfs } from "./initramfs.js";
import { kernelPayload } from "./kernel-payload.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const never = (): never => {
  throw new Error("not asked for");
};

describe("the writer of cpio archives", () => {
  it("begins each entry with its fields in hexadecimal, and pads name and content to words", () => {
    const archive = text(cpio([file("a", bytes("xyz"))]));
    expect(archive.slice(0, 6)).toBe("070701");
    const fields = Array.from({ length: 13 }, (_, index) =>
      Number.parseInt(archive.slice(6 + 8 * index, 14 + 8 * index), 16),
    );
    // inode, mode, owner, group, links, time, size, …, length of the name with its end
    expect(fields).toEqual([1, 0o100644, 0, 0, 1, 0, 3, 0, 0, 0, 0, 2, 0]);
    expect(archive.slice(110, 116)).toBe("a\0xyz\0");
    expect(archive.length % 4).toBe(0);
    expect(archive).toContain("TRAILER!!!\0");
  });
});

describe("the initramfs", () => {
  it("has busybox, a shell's name for it, the console, and an init script that can be run", () => {
    const archive = text(debianInitramfs(bytes("busybox!")));
    for (const part of ["bin/busybox\0", "busybox!", "bin/sh\0", "dev/console\0", "init\0", "#!/bin/busybox sh\n"])
      expect(archive).toContain(part);
  });
});

describe("the reader of packages", () => {
  const member = (name: string, content: string): string =>
    `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(content.length).padEnd(10)}\`\n${content}${content.length % 2 === 1 ? "\n" : ""}`;
  const deb = (...members: string[]): Uint8Array => bytes(`!<arch>\n${members.join("")}`);

  it("finds the archive of files behind the others", () => {
    const data = dataOfPackage(
      deb(member("debian-binary", "2.0\n"), member("control.tar.xz", "abc"), member("data.tar.xz", "files")),
      "p.deb",
    );
    expect([data.name, text(data.bytes)]).toEqual(["data.tar.xz", "files"]);
  });

  it("refuses other files, and packages that are cut off", () => {
    expect(() => dataOfPackage(bytes("PK"), "p.zip")).toThrow("p.zip: no Debian package");
    const whole = deb(member("data.tar.xz", "files"));
    expect(() => dataOfPackage(whole.subarray(0, whole.length - 3), "p.deb")).toThrow(
      "p.deb: a Debian package that is cut off",
    );
    expect(() => dataOfPackage(deb(member("debian-binary", "2.0\n")), "p.deb")).toThrow("cut off or has no files");
  });
});

describe("the kernel within a bzImage", () => {
  const size = (length: number): number[] => [length & 0xff, length >> 8, 0, 0];
  // One block: 4 literals, then a match of 8 bytes 4 back, then 5 literals.
  const block = [0x44, ...bytes("abcd"), 4, 0, 0x50, ...bytes("vwxyz")];
  const lz4 = (...payload: number[]): Uint8Array =>
    bzImage({ payload: [0x02, 0x21, 0x4c, 0x18, ...size(payload.length), ...payload, ...size(17)] });

  it("is unpacked here where it is LZ4, matches that reach into themselves included", () => {
    expect(text(kernelPayload(lz4(...block), "k", never))).toBe("abcdabcdabcdvwxyz");
  });

  it("is unpacked by another program where it is not", () => {
    const image = bzImage({ payload: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, ...size(3)] });
    const asked: unknown[] = [];
    const kernel = kernelPayload(image, "k", (program, data) => {
      asked.push([program, data.length]);
      return bytes("ELF");
    });
    expect([text(kernel), asked]).toEqual(["ELF", [["xz", 7]]]);
  });

  it.each([
    ["no kernel", bytes("no kernel at all"), "k: no Linux kernel (no setup header)"],
    [
      "an unknown compression",
      bzImage({ payload: [1, 2, 3, 4, 5, 6] }),
      "k: the kernel within is compressed in an unknown way",
    ],
    [
      "a block that reaches too far",
      bzImage({ payload: [0x02, 0x21, 0x4c, 0x18, ...size(99), 1, ...size(3)] }),
      "k: the kernel within is cut off",
    ],
    ["a match before the start", lz4(0x14, 0x61, 9, 0, 0), "k: the kernel within is damaged"],
    ["another length than it says", lz4(0x30, ...bytes("abc")), "k: the kernel within has 3 bytes, where it says 17"],
  ])("is refused: %s", (_, image, message) => {
    expect(() => kernelPayload(image, "k", never)).toThrow(message);
  });
});
