/** Seconds as `0:07`, `12:34` or `1:02:03`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const two = (value: number) => String(value).padStart(2, "0")
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

/** A metric with four decimals, or in scientific notation below 0.001: `0.9840`, `2.00e-5`. */
export function formatMetric(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toFixed(4)
}

/** A count with thousands separators: `124,734,720`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US")
}
