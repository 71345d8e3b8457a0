/**
 * The time of day of an MC146818A: the bytes its registers show, some seconds later, and when an alarm is due.
 *
 * The bytes are what software wrote, in the format register B says; a byte that is no valid one stays as it is until the
 * first update that changes it, which takes it modulo its range. Years have two digits and every fourth is a leap year.
 *
 * Manual: Motorola MC146818A data sheet, "Time, Calendar, and Alarm Locations".
 */

/** Register B's bits that say how times are written: binary and not BCD, 24 hours and not twice 12. */
export const FORMAT = { binary: 0x04, hours24: 0x02 } as const;

export interface RtcTime {
  readonly seconds: number;
  readonly minutes: number;
  readonly hours: number;
  /** 1 for Sunday to 7. */
  readonly dayOfWeek: number;
  readonly dayOfMonth: number;
  readonly month: number;
  readonly year: number;
}

export interface RtcAlarm {
  readonly seconds: number;
  readonly minutes: number;
  readonly hours: number;
}

const SECONDS_A_DAY = 86_400;
/** Days before each month of a year without a leap day. */
const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365] as const;
const DAYS_IN_FOUR_YEARS = 1461;
const DAYS_FROM_1970_TO_2000 = 10_957;
const DAYS_IN_HUNDRED_YEARS = 25 * DAYS_IN_FOUR_YEARS;
const AFTERNOON = 0x80;
/** An alarm byte with both upper bits set matches everything. */
const DONT_CARE = 0xc0;
const ANY = -1;
const NEVER = -2;

function decode(byte: number, format: number): number {
  return (format & FORMAT.binary) !== 0 ? byte : (byte >> 4) * 10 + (byte & 15);
}

/** A number below 100 as a byte of this format. */
export function encode(value: number, format: number): number {
  return (format & FORMAT.binary) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decodeHours(byte: number, format: number): number {
  if ((format & FORMAT.hours24) !== 0) return decode(byte, format) % 24;
  return (decode(byte & ~AFTERNOON, format) % 12) + ((byte & AFTERNOON) !== 0 ? 12 : 0);
}

function encodeHours(hours: number, format: number): number {
  if ((format & FORMAT.hours24) !== 0) return encode(hours, format);
  return encode(hours % 12 === 0 ? 12 : hours % 12, format) | (hours >= 12 ? AFTERNOON : 0);
}

function secondOfDay(time: RtcTime, format: number): number {
  const minutes = decodeHours(time.hours, format) * 60 + (decode(time.minutes, format) % 60);
  return minutes * 60 + (decode(time.seconds, format) % 60);
}

/** Day 0 is January 1st of year 0 of the hundred. */
function dayNumber(time: RtcTime, format: number): number {
  const year = decode(time.year, format) % 100;
  const month = Math.max(0, decode(time.month, format) - 1) % 12;
  const leapDay = year % 4 === 0 && month >= 2 ? 1 : 0;
  return year * 365 + Math.ceil(year / 4) + DAYS_BEFORE[month]! + leapDay + decode(time.dayOfMonth, format) - 1;
}

/** Year (0 to 99), month and day of the month of a day number. */
function dateOf(day: number): { year: number; month: number; dayOfMonth: number } {
  const inFour = day % DAYS_IN_FOUR_YEARS;
  const inLeapYear = inFour < 366;
  const year = Math.floor(day / DAYS_IN_FOUR_YEARS) * 4 + (inLeapYear ? 0 : 1 + Math.floor((inFour - 366) / 365));
  const ofYear = inLeapYear ? inFour : (inFour - 366) % 365;
  const daysBefore = (month: number): number => DAYS_BEFORE[month]! + (inLeapYear && month >= 2 ? 1 : 0);
  let month = 0;
  while (ofYear >= daysBefore(month + 1)) month++;
  return { year, month: month + 1, dayOfMonth: ofYear - daysBefore(month) + 1 };
}

/**
 * The bytes `seconds` updates later.
 *
 * @param format register B.
 */
export function timeAfter(time: RtcTime, seconds: number, format: number): RtcTime {
  if (seconds === 0) return time;
  const total = secondOfDay(time, format) + seconds;
  const days = Math.floor(total / SECONDS_A_DAY);
  const second = total % SECONDS_A_DAY;
  const clock = {
    ...time,
    seconds: encode(second % 60, format),
    minutes: encode(Math.floor(second / 60) % 60, format),
    hours: encodeHours(Math.floor(second / 3600), format),
  };
  if (days === 0) return clock;
  const { year, month, dayOfMonth } = dateOf((dayNumber(time, format) + days) % DAYS_IN_HUNDRED_YEARS);
  return {
    ...clock,
    dayOfWeek: ((decode(time.dayOfWeek, format) + 6 + days) % 7) + 1,
    dayOfMonth: encode(dayOfMonth, format),
    month: encode(month, format),
    year: encode(year, format),
  };
}

/** The bytes of a time in seconds since 1970-01-01 00:00:00 UTC, 1970 to 2099, and its century (19 or 20). */
export function timeFromUnix(unix: number, format: number): { readonly time: RtcTime; readonly century: number } {
  // Both centuries' halves have a leap year every fourth year, so 1970 can stand for year 70 of a hundred.
  const days = Math.floor(unix / SECONDS_A_DAY);
  const midnight: RtcTime = {
    seconds: 0,
    minutes: 0,
    hours: encodeHours(0, format),
    dayOfWeek: ((days + 4) % 7) + 1,
    dayOfMonth: 1,
    month: 1,
    year: encode(70, format),
  };
  const { year, month, dayOfMonth } = dateOf((dayNumber(midnight, format) + days) % DAYS_IN_HUNDRED_YEARS);
  const date = {
    ...midnight,
    dayOfMonth: encode(dayOfMonth, format),
    month: encode(month, format),
    year: encode(year, format),
  };
  return { time: timeAfter(date, unix % SECONDS_A_DAY, format), century: days < DAYS_FROM_1970_TO_2000 ? 19 : 20 };
}

/** The number an alarm byte waits for, ANY or NEVER. */
function wanted(byte: number, range: number, value: number, encoded: number): number {
  if ((byte & DONT_CARE) === DONT_CARE) return ANY;
  return value < range && encoded === byte ? value : NEVER;
}

/** The first second of a day from `from` on that matches, or -1. */
function firstMatch(hours: number, minutes: number, seconds: number, from: number): number {
  const firstMinute = Math.floor(from / 60);
  for (let minute = firstMinute; minute < 24 * 60; minute++) {
    const hour = Math.floor(minute / 60);
    if (hours !== ANY && hour !== hours) {
      minute = hour * 60 + 59;
      continue;
    }
    if (minutes !== ANY && minute % 60 !== minutes) continue;
    const start = minute === firstMinute ? from % 60 : 0;
    if (seconds === ANY) return minute * 60 + start;
    if (seconds >= start) return minute * 60 + seconds;
  }
  return -1;
}

/**
 * How many updates (1 or more) later the time matches the alarm for the first time; Infinity for never.
 *
 * Spec: MC146818A data sheet, "Time, Calendar, and Alarm Locations", the don't-care codes.
 */
export function updatesUntilAlarm(time: RtcTime, alarm: RtcAlarm, format: number): number {
  const second = decode(alarm.seconds, format);
  const minute = decode(alarm.minutes, format);
  const hour = decodeHours(alarm.hours, format);
  const seconds = wanted(alarm.seconds, 60, second, encode(second, format));
  const minutes = wanted(alarm.minutes, 60, minute, encode(minute, format));
  const hours = wanted(alarm.hours, 24, hour, encodeHours(hour, format));
  if (seconds === NEVER || minutes === NEVER || hours === NEVER) return Number.POSITIVE_INFINITY;
  const now = secondOfDay(time, format);
  const today = firstMatch(hours, minutes, seconds, now + 1);
  return today >= 0 ? today - now : firstMatch(hours, minutes, seconds, 0) + SECONDS_A_DAY - now;
}
