/** Whether a path is a directory, or lies in it; both as they are written, absolute or from the same place. */
export function isWithin(path: string, directory: string): boolean {
  const plain = (text: string) =>
    new URL(text.split("/").map(encodeURIComponent).join("/"), "file:///from/here/").pathname.replace(/\/*$/, "/")
  return plain(path).startsWith(plain(directory))
}
