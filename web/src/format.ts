// Figures and times for people.
const NUMBER = new Intl.NumberFormat("en");
const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hour12: false });

const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeZone: "UTC" });
const MONTH = new Intl.DateTimeFormat("en", { month: "long", year: "numeric", timeZone: "UTC" });
const MONTH_NAME = new Intl.DateTimeFormat("en", { month: "long", timeZone: "UTC" });

/** Of a day as `YYYY-MM-DD`, which is nobody's zone's. */
export const dayText = (date: string): string => DATE.format(new Date(`${date}T00:00:00Z`));
export const monthText = (month: string): string => MONTH.format(new Date(`${month}-01T00:00:00Z`));
/** Of a month's number, 1 to 12. */
export const monthName = (month: number): string => MONTH_NAME.format(new Date(Date.UTC(2000, month - 1)));
export const count = (value: number): string => NUMBER.format(value);
export const when = (iso: string): string => DAY.format(new Date(iso));
export const clock = (at: number): string => CLOCK.format(at);

/** The time of day, with the day when it was another one. */
export function moment(iso: string, now = new Date()): string {
  const at = new Date(iso);
  return at.toDateString() === now.toDateString() ? clock(at.getTime()) : DAY.format(at);
}

export function items(value: number, noun = "item"): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let rest = value;
  let unit = -1;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours, minutes, rest] = parts as [number, number, number];
  const tail = `${hours ? String(minutes).padStart(2, "0") : minutes}:${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}
