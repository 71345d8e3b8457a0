/**
 * execve(2): a new program in an address space of its own, with its arguments on its stack. Everything that can fail is done before the
 * old program is given up.
 * Spec: execve(2); System V ABI AMD64 Supplement, "Process Initialization"; getauxval(3).
 */

import { identify } from "../../hardware/cpu/cpuid.js";
import { USER_END } from "../arch/layout.js";
import { freshRegisters } from "../arch/registers.js";
import { VDSO_ADDRESS, VDSO_SIZE, vdsoEntries, vdsoPage } from "../arch/vdso.js";
import { E, Errno } from "../errno.js";
import { closeAtExec } from "../fs/descriptors.js";
import { mappedInode, readInode } from "../fs/file-systems.js";
import { attributesAt, inodeAt, locate, mountOf, type ResolveOptions } from "../fs/path.js";
import { MAY, MS, requireAccess } from "../fs/permissions.js";
import { isDirectory, isRegular } from "../fs/types.js";
import { PROT } from "../mm/areas.js";
import { linearOf, shareFrame, takeFrame } from "../mm/frames.js";
import { mapPage } from "../mm/page-tables.js";
import { addArea, dropSpace, newSpace, useSpace } from "../mm/spaces.js";
import { bytesOf, textOf, writeUser } from "../mm/user-memory.js";
import { nextRandom } from "../random.js";
import type { AddressSpace, Credentials, InodeName, Location } from "../state.js";
import { executedCredentials } from "../tasks/credentials.js";
import { endOtherThreads } from "../tasks/exit.js";
import { resetHandlers } from "../tasks/handlers.js";
import { dropTimers } from "../tasks/timers.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { type ElfHeader, isElf, PF, PT, readElf } from "./elf.js";

const PAGE = 4096;
const down = (address: number): number => Math.floor(address / PAGE) * PAGE;
const up = (address: number): number => Math.ceil(address / PAGE) * PAGE;

/** Programs and loaders that may lie anywhere, and the top of the stack. Chosen once: every run has the same addresses. */
const PLACES = {
  64: { program: 0x5555_5555_4000, mappings: 0x7fff_f7ff_f000, stack: 0x7fff_ffff_e000 },
  32: { program: 0x5655_5000, mappings: 0xf7ff_f000, stack: 0xffff_d000 },
} as const;
/** Where mappings begin that no address was asked for: downwards from there. */
export const mappingsTop = (bits: 32 | 64): number => PLACES[bits].mappings;
/** Where /proc/PID/maps has the stack, and how much of it there is at first. */
const STACK = 132 * 1024;
/** A quarter of the stack's limit. Spec: execve(2), "Limits on size of arguments and environment". */
const LEAST_ARGUMENTS = 131_072;
const MOST_ARGUMENTS = 6 * 2 ** 20;
const RLIMIT_STACK = 3;
const MOST_STRING = 131_072;
const MOST_INTERPRETERS = 5;
const HEAD = 256;

export interface Executable {
  readonly location: Location;
  readonly inode: InodeName;
  readonly header: ElfHeader;
}

/** The inode of a program that the thread at work may execute. Throws EACCES, EISDIR. */
function openProgram(k: Work, location: Location): InodeName {
  const attributes = attributesAt(k, location);
  if (isDirectory(attributes)) throw E.EACCES;
  if (!isRegular(attributes) || (mountOf(k, location).flags & MS.NOEXEC) !== 0) throw E.EACCES;
  requireAccess(k, attributes, MAY.EXEC);
  return mappedInode(k, inodeAt(k, location));
}

/** What is to be executed in the end: scripts lead to their interpreters. Spec: execve(2), "Interpreter scripts". */
function resolveProgram(
  k: Work,
  path: string,
  parameters: readonly string[],
  options: ResolveOptions,
): Executable & { readonly arguments: readonly string[] } {
  let location = locate(k, path, options);
  let list = parameters;
  let name = path;
  for (let depth = 0; ; depth++) {
    const inode = openProgram(k, location);
    const head = readInode(k, inode, 0, HEAD);
    if (head[0] !== 0x23 || head[1] !== 0x21) {
      const header = readElf(head, (offset, length) => readInode(k, inode, offset, length));
      return { location, inode, header, arguments: list };
    }
    if (depth === MOST_INTERPRETERS) throw E.ELOOP;
    const line = textOf(head.subarray(2)).split("\n")[0]!.split("\0")[0]!.trim();
    const [interpreter, ...rest] = line.split(/[ \t]+/);
    if (interpreter === undefined || interpreter === "") throw E.ENOEXEC;
    const option = line.slice(interpreter.length).trim();
    list = [interpreter, ...(rest.length === 0 ? [] : [option]), name, ...list.slice(1)];
    name = interpreter;
    location = locate(k, interpreter);
  }
}

function requireSizes(k: Work, lists: readonly (readonly string[])[]): void {
  let sum = 0;
  for (const text of lists.flat()) {
    if (text.length >= MOST_STRING) throw E.E2BIG;
    sum += text.length + 9;
  }
  const [stack] = k.process.limits[RLIMIT_STACK]!;
  if (sum > Math.max(LEAST_ARGUMENTS, Math.min(MOST_ARGUMENTS, stack / 4))) throw E.E2BIG;
}

/** Maps a file's segments. Gives where it was loaded, and the end of what it has. */
function mapSegments(
  k: Work,
  space: AddressSpace,
  { location, inode, header }: Executable,
  base: number,
): { readonly end: number; readonly headers: number } {
  let end = 0;
  let headers = 0;
  for (const { type, flags, offset, address, fileSize, memorySize } of header.headers) {
    if (type !== PT.LOAD || memorySize === 0) continue;
    if (fileSize > memorySize || offset % PAGE !== address % PAGE) throw E.EINVAL;
    const start = base + down(address);
    const behind = base + address + memorySize;
    if (start < PAGE || behind > USER_END[space.bits]) throw E.ENOMEM;
    const protection =
      ((flags & PF.R) !== 0 ? PROT.READ : 0) |
      ((flags & PF.W) !== 0 ? PROT.WRITE : 0) |
      ((flags & PF.X) !== 0 ? PROT.EXEC : 0);
    const fileEnd = up(base + address + fileSize);
    if (fileSize > 0) {
      const file = { inode, offset: down(offset), path: location, writable: false };
      addArea(k, space.id, { start, end: fileEnd, protection, shared: false, file });
    }
    if (up(behind) > fileEnd || fileSize === 0)
      addArea(k, space.id, { start: fileSize > 0 ? fileEnd : start, end: up(behind), protection, shared: false });
    // What lies behind the file's bytes on their last page is zeros, to its end: loaders give it away.
    const tail = base + address + fileSize;
    if ((flags & PF.W) !== 0 && fileSize > 0 && memorySize > fileSize && tail % PAGE !== 0)
      writeUser(k, tail, new Uint8Array(fileEnd - tail));
    if (header.headersAt >= offset && header.headersAt < offset + fileSize)
      headers = base + address + header.headersAt - offset;
    end = Math.max(end, behind);
  }
  if (end === 0) throw E.ENOEXEC;
  return { end, headers };
}

const extent = ({ headers }: ElfHeader): number =>
  headers.reduce(
    (most, { type, address, memorySize }) => (type === PT.LOAD ? Math.max(most, address + memorySize) : most),
    0,
  );

/** The loader that a program names, if it does. */
function interpreterOf(k: Work, { header, inode }: Executable): Executable | undefined {
  const named = header.headers.find(({ type }) => type === PT.INTERP);
  if (named === undefined) return undefined;
  if (named.fileSize < 2 || named.fileSize > 4096) throw E.ENOEXEC;
  const path = textOf(readInode(k, inode, named.offset, named.fileSize));
  if (!path.endsWith("\0")) throw E.ENOEXEC;
  const location = locate(k, path.slice(0, path.indexOf("\0")));
  const loader = openProgram(k, location);
  const head = readInode(k, loader, 0, HEAD);
  if (!isElf(head)) throw E.ELIBBAD;
  const found = readElf(head, (offset, length) => readInode(k, loader, offset, length));
  if (found.bits !== header.bits) throw E.ELIBBAD;
  return { location, inode: loader, header: found };
}

/** Auxiliary vector. Spec: getauxval(3); Linux, include/uapi/linux/auxvec.h. */
const AT = {
  ...{ NULL: 0, PHDR: 3, PHENT: 4, PHNUM: 5, PAGESZ: 6, BASE: 7, FLAGS: 8, ENTRY: 9, UID: 11, EUID: 12, GID: 13 },
  ...{ EGID: 14, PLATFORM: 15, HWCAP: 16, CLKTCK: 17, SECURE: 23, RANDOM: 25, EXECFN: 31, SYSINFO: 32 },
  ...{ SYSINFO_EHDR: 33 },
} as const;

/** 32-bit programs find their way into the kernel in a page of their own. Gives what they are told of it. */
function mapVdso(k: Work, { id, bits, root }: AddressSpace): readonly (readonly [number, number])[] {
  if (bits === 64) return [];
  const frame = vdsoFrame(k);
  const [start, end] = [VDSO_ADDRESS, VDSO_ADDRESS + VDSO_SIZE];
  addArea(k, id, { start, end, protection: PROT.READ | PROT.EXEC, shared: false, label: "[vdso]" });
  shareFrame(k, frame);
  const tables = mapPage(k, root, start, frame, { writable: false, executable: true });
  const space = k.state.spaces.get(id)!;
  k.setSpace(id, { resident: space.resident + 1, tables: space.tables + tables });
  return [
    [AT.SYSINFO, vdsoEntries().vsyscall],
    [AT.SYSINFO_EHDR, start],
  ];
}

/** The frame that all of them share, made when the first one is executed. */
function vdsoFrame(k: Work): number {
  const { initial } = k.state;
  if (initial.vdsoFrame !== undefined) return initial.vdsoFrame;
  const frame = takeFrame(k);
  k.port.writeBytes(linearOf(frame), vdsoPage(), false);
  k.set({ initial: { ...initial, vdsoFrame: frame } });
  return frame;
}

/** Writes the first words of a program's stack. Gives the stack pointer. */
function writeStack(
  k: Work,
  space: AddressSpace,
  path: string,
  lists: { readonly arguments: readonly string[]; readonly environment: readonly string[] },
  auxiliary: readonly (readonly [number, number])[],
): number {
  const { bits } = space;
  const wide = bits === 64;
  let at: number = PLACES[bits].stack;
  const put = (bytes: Uint8Array): number => {
    at -= bytes.length;
    writeUser(k, at, bytes);
    return at;
  };
  put(new Uint8Array(8));
  const name = put(bytesOf(`${path}\0`));
  const strings = (texts: readonly string[]): readonly number[] => {
    const start = put(bytesOf(texts.map((text) => `${text}\0`).join("")));
    let next = start;
    return texts.map(({ length }) => {
      const address = next;
      next += length + 1;
      return address;
    });
  };
  const environmentEnd = at;
  const environment = strings(lists.environment);
  const environmentStart = at;
  const parameters = strings(lists.arguments);
  k.setSpace(space.id, {
    argumentsAt: [at, environmentStart],
    environmentAt: [environmentStart, environmentEnd],
  });
  const platform = put(bytesOf(wide ? "x86_64\0" : "i686\0"));
  at = Math.floor(at / 16) * 16;
  const random = put(nextRandom(k, 16));
  const vector = [...auxiliary, [AT.RANDOM, random], [AT.EXECFN, name], [AT.PLATFORM, platform], [AT.NULL, 0]].flat();
  const words = [parameters.length, ...parameters, 0, ...environment, 0, ...vector];
  const size = wide ? 8 : 4;
  at = Math.floor((at - words.length * size) / 16) * 16;
  const view = new DataView(new ArrayBuffer(words.length * size));
  words.forEach((word, index) => {
    view.setUint32(index * size, word >>> 0, true);
    if (wide) view.setUint32(index * size + 4, Math.floor(word / 2 ** 32), true);
  });
  writeUser(k, at, new Uint8Array(view.buffer));
  return at;
}

/** A program that may be executed and not read is not looked into, either. Spec: prctl(2), PR_SET_DUMPABLE. */
function mayRead(k: Work, location: Location): boolean {
  try {
    requireAccess(k, attributesAt(k, location), MAY.READ);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    return false;
  }
}

/** Replaces the program of the thread at work. Throws an `Errno` with the old one as it was. */
export function execute(
  k: Work,
  path: string,
  parameters: readonly string[],
  environment: readonly string[],
  options: ResolveOptions = {},
): void {
  const program = resolveProgram(k, path, parameters, options);
  const lists = { arguments: program.arguments.length === 0 ? [""] : program.arguments, environment };
  requireSizes(k, [lists.arguments, environment]);
  const loader = interpreterOf(k, program);
  const { credentials, privileged } = executedCredentials(k, program.location);
  const old = k.task.space;
  const space = newSpace(k, program.header.bits);
  k.setTask(k.current, { space: space.id });
  useSpace(k, space.root);
  try {
    load(k, space, path, program, loader, lists, credentials, privileged);
  } catch (thrown) {
    k.setTask(k.current, { space: old });
    if (old !== 0) useSpace(k, k.space.root);
    dropSpace(k, space.id);
    throw thrown;
  }
  endOtherThreads(k);
  if (old !== 0) dropSpace(k, old);
  closeAtExec(k);
  resetHandlers(k);
  dropTimers(k, k.task.process);
  k.setTask(k.current, {
    credentials,
    name: (path.split("/").at(-1) ?? path).slice(0, 15),
    ...{ alternateStack: undefined, clearTid: 0, robustList: 0, tls: [] },
  });
  k.setProcess(k.task.process, { hasExecuted: true, dumpable: !privileged && mayRead(k, program.location) });
  wake(k, k.current);
}

function load(
  k: Work,
  space: AddressSpace,
  path: string,
  program: Executable,
  loader: Executable | undefined,
  lists: { readonly arguments: readonly string[]; readonly environment: readonly string[] },
  credentials: Credentials,
  secure: boolean,
): void {
  const { header, location } = program;
  const places = PLACES[header.bits];
  const base = header.movable ? (loader === undefined ? down(places.mappings - extent(header)) : places.program) : 0;
  const { end, headers } = mapSegments(k, space, program, base);
  const entry = base + header.entry;
  let start = entry;
  let loaderBase = 0;
  if (loader !== undefined) {
    loaderBase = loader.header.movable ? down(places.mappings - extent(loader.header)) : 0;
    mapSegments(k, space, loader, loaderBase);
    start = loaderBase + loader.header.entry;
  }
  const executableStack = header.headers.some(({ type, flags }) => type === PT.GNU_STACK && (flags & PF.X) !== 0);
  addArea(k, space.id, {
    start: places.stack - STACK,
    end: places.stack,
    protection: PROT.READ | PROT.WRITE | (executableStack ? PROT.EXEC : 0),
    shared: false,
    growsDown: true,
    label: "[stack]",
  });
  const breakStart = up(header.movable && loader === undefined ? places.program : end);
  k.setSpace(space.id, { breakStart, breakEnd: breakStart, executable: location });
  const stack = writeStack(k, space, path, lists, [
    ...mapVdso(k, space),
    [AT.PHDR, headers],
    [AT.PHENT, header.headerSize],
    [AT.PHNUM, header.headers.length],
    [AT.PAGESZ, PAGE],
    [AT.BASE, loaderBase],
    [AT.FLAGS, 0],
    [AT.ENTRY, entry],
    [AT.UID, credentials.uid],
    [AT.EUID, credentials.euid],
    [AT.GID, credentials.gid],
    [AT.EGID, credentials.egid],
    [AT.SECURE, secure ? 1 : 0],
    [AT.HWCAP, identify(k.port.system.model, 1)[3] >>> 0],
    [AT.CLKTCK, 100],
  ]);
  k.setTask(k.current, { registers: freshRegisters(header.bits, start, stack) });
  k.saved = true;
  k.replaced = true;
}
