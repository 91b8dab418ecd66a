// Values of tags as people read them.
import { monthName } from "./format";
import { shown } from "./paths";

/** Months and hours of the day are kept as bare numbers. */
export function valueText(group: string, value: string): string {
  if (group === "Month" && /^([1-9]|1[0-2])$/.test(value)) return monthName(Number(value));
  if (group === "Hour" && /^(\d|1\d|2[0-3])$/.test(value)) {
    const hour = value.padStart(2, "0");
    return `${hour}:00–${hour}:59`;
  }
  return value === "" || value === "." ? "(top)" : shown(value);
}
