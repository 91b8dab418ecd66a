// Days and what is of them. Pure: a day is `YYYY-MM-DD`, its order is that of its text.
import type { Counts, Filter } from "./types";

export interface Day extends Counts {
  date: string;
}

export interface Histogram {
  path: string;
  days: readonly Day[];
  undated: Counts;
  ignoredCount: number;
  nextFolder: { path: string; count: number } | null;
}

/** From that day up to that day, both included; either may be missing. */
export interface Range {
  from?: string;
  to?: string;
}

const DATE = /^\d{4}-\d\d-\d\d$/;

/** A day that there is; undefined for anything else. */
export function dayIn(text: string | undefined): string | undefined {
  if (text === undefined || !DATE.test(text)) return undefined;
  const at = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== text ? undefined : text;
}

export function within(range: Range, date: string): boolean {
  return (range.from === undefined || date >= range.from) && (range.to === undefined || date <= range.to);
}

export function isRange(range: Range): boolean {
  return range.from !== undefined || range.to !== undefined;
}

/** The days of a filter that are in the range and not empty. */
export function daysOf(days: readonly Day[], filter: Filter, range: Range = {}): Day[] {
  return days.filter((day) => day[filter] > 0 && within(range, day.date));
}

/** How many items a listing by date has; those of no day are in none with a range. */
export function totalOf(told: Histogram, filter: Filter, range: Range = {}): number {
  const dated = daysOf(told.days, filter, range).reduce((sum, day) => sum + day[filter], 0);
  return isRange(range) ? dated : dated + told.undated[filter];
}

/** Of a listing by date: how many rows are before this day. */
export function rowsBefore(days: readonly Day[], filter: Filter, date: string): number {
  return days.reduce((sum, day) => (day.date < date ? sum + day[filter] : sum), 0);
}

/** Of a listing by date: the place of the day that this row is of; -1: of none. */
export function placeAt(days: readonly Day[], filter: Filter, row: number): number {
  let before = 0;
  for (const [place, day] of days.entries()) {
    before += day[filter];
    if (row < before) return place;
  }
  return -1;
}

/** The first day not before that one, else the last one. */
export function nearest(days: readonly Day[], date: string): Day | undefined {
  return days.find((day) => day.date >= date) ?? days.at(-1);
}

export interface Bar {
  /** Places of its days, the last one included. */
  first: number;
  last: number;
  all: number;
  unseen: number;
}

/** The days as at most so many bars of about as many days each. */
export function barsOf(days: readonly Day[], filter: Filter, most: number): Bar[] {
  const each = Math.max(1, Math.ceil(days.length / Math.max(1, most)));
  const bars: Bar[] = [];
  for (let first = 0; first < days.length; first += each) {
    const last = Math.min(days.length, first + each) - 1;
    const bar = { first, last, all: 0, unseen: 0 };
    for (let place = first; place <= last; place += 1) {
      const day = days[place];
      bar.all += day?.[filter] ?? 0;
      bar.unseen += day ? Math.min(day.unseen, day[filter]) : 0;
    }
    bars.push(bar);
  }
  return bars;
}

export interface Month {
  month: string;
  days: Day[];
  all: number;
  unseen: number;
}

/** By month, for a list that can be read. */
export function monthsOf(days: readonly Day[], filter: Filter): Month[] {
  const months: Month[] = [];
  for (const day of days) {
    const month = day.date.slice(0, 7);
    let at = months.at(-1);
    if (at?.month !== month) months.push((at = { month, days: [], all: 0, unseen: 0 }));
    at.days.push(day);
    at.all += day[filter];
    at.unseen += Math.min(day.unseen, day[filter]);
  }
  return months;
}
