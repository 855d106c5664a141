/** As many characters as the database keeps. */
const longest = 120

/** Whether a text can be what a person is called: one line, or nothing at all. */
export function isPersonName(text: string): boolean {
  return text.trim().length <= longest && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) && text.isWellFormed()
}
