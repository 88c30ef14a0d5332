/** Whether a file under a name for CSV or TSV holds JSON. */
export const holdsJson = (text: string): boolean => /^\s*(?:\[\s*)?\{\s*"/.test(text)
