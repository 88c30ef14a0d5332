/** "lines 3, 9, 12, 40, 41 and 7 more": the first few places and how many there are. */
export const listPlaces = (unit: "line" | "row", places: ReadonlyArray<number>): string => {
  const shown = places.slice(0, 5).join(", ")
  const more = places.length > 5 ? ` and ${places.length - 5} more` : ""
  return `${unit}${places.length === 1 ? "" : "s"} ${shown}${more}`
}
