/**
 * Why a system call failed. Thrown by what serves it, and given to the program as a negative number.
 * Spec: errno(3); Linux, include/uapi/asm-generic/errno-base.h and errno.h.
 */

export const errnoNumbers = {
  ...{ EPERM: 1, ENOENT: 2, ESRCH: 3, EINTR: 4, EIO: 5, ENXIO: 6, E2BIG: 7, ENOEXEC: 8, EBADF: 9, ECHILD: 10 },
  ...{ EAGAIN: 11, ENOMEM: 12, EACCES: 13, EFAULT: 14, ENOTBLK: 15, EBUSY: 16, EEXIST: 17, EXDEV: 18, ENODEV: 19 },
  ...{ ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENFILE: 23, EMFILE: 24, ENOTTY: 25, ETXTBSY: 26, EFBIG: 27, ENOSPC: 28 },
  ...{ ESPIPE: 29, EROFS: 30, EMLINK: 31, EPIPE: 32, EDOM: 33, ERANGE: 34, EDEADLK: 35, ENAMETOOLONG: 36 },
  ...{ ENOLCK: 37, ENOSYS: 38, ENOTEMPTY: 39, ELOOP: 40, ENOMSG: 42, EIDRM: 43, ENODATA: 61, ETIME: 62 },
  ...{ EPROTO: 71, EBADMSG: 74, EOVERFLOW: 75, ELIBBAD: 80, EILSEQ: 84, EUSERS: 87, ENOTSOCK: 88, EDESTADDRREQ: 89 },
  ...{ EMSGSIZE: 90, EPROTOTYPE: 91, ENOPROTOOPT: 92, EPROTONOSUPPORT: 93, ESOCKTNOSUPPORT: 94, EOPNOTSUPP: 95 },
  ...{ EPFNOSUPPORT: 96, EAFNOSUPPORT: 97, EADDRINUSE: 98, EADDRNOTAVAIL: 99, ENETDOWN: 100, ENETUNREACH: 101 },
  ...{ ECONNABORTED: 103, ECONNRESET: 104, ENOBUFS: 105, EISCONN: 106, ENOTCONN: 107, ETIMEDOUT: 110 },
  ...{ ECONNREFUSED: 111, EHOSTUNREACH: 113, EALREADY: 114, EINPROGRESS: 115, ESTALE: 116, EDQUOT: 122 },
} as const;
export type ErrnoName = keyof typeof errnoNumbers;

/** Not an Error: it is the program's, not ours, and needs no stack trace. */
export class Errno {
  readonly number: number;
  constructor(readonly name: ErrnoName) {
    this.number = errnoNumbers[name];
  }
}

const all = Object.fromEntries(
  Object.keys(errnoNumbers).map((name) => [name, Object.freeze(new Errno(name as ErrnoName))]),
) as Readonly<Record<ErrnoName, Errno>>;

/** Each error, to be thrown: `throw E.ENOENT`. */
export const E = Object.freeze(all);

const names = new Map(Object.entries(errnoNumbers).map(([name, number]) => [number, name as ErrnoName]));
export const errnoName = (number: number): ErrnoName | undefined => names.get(number);

/**
 * Thrown by a system call that cannot be done now: its task sleeps until one of the channels is woken, or until the time has come, and
 * the call is then made anew.
 */
export class Wait {
  constructor(
    /** Channels: numbers of what is waited for; see `wake`. */
    readonly on: readonly number[],
    /** Tick at which the call goes on at the latest. */
    readonly until: number | undefined = undefined,
    /** What the call has to remember when it is made anew, such as how much was written. */
    readonly progress: unknown = undefined,
    /**
     * What a signal makes of it once a handler has run: "restart" begins anew with SA_RESTART and is EINTR without, "interrupt" is
     * EINTR in any case; without a handler both go on. "never": only SIGKILL ends the wait.
     */
    readonly restart: "restart" | "interrupt" | "never" = "restart",
  ) {}
}
