import bowser from 'bowser'

/** As much of a user agent as is kept and looked at, in characters: the expressions that read it take time by its length. */
const longest = 512
const unknown = 'Unknown device'
/** Programs call themselves `name/version`. */
const program = /^([A-Za-z][A-Za-z0-9._-]{0,39})(?:\/|\s|$)/

/** What is kept of a User-Agent header: printable, and no longer than 512 characters. */
export function keptUserAgent(header: string | undefined): string | undefined {
  const text = header
    ?.replaceAll(/[^\x20-\x7e]/g, '')
    .slice(0, longest)
    .trim()
  return text === '' ? undefined : text
}

/** What people call what they signed in with: `Firefox on Windows`, `curl`. @param userAgent as it is kept */
export function deviceNameOf(userAgent: string | undefined): string {
  if (userAgent === undefined) return unknown
  const { browser, os } = bowser.parse(userAgent)
  const system = os.name && named(os.name)
  // A program that no browser is like; Mozilla/5.0 is what all of them say.
  const own = userAgent.startsWith('Mozilla/') ? undefined : program.exec(userAgent)?.[1]
  const name = own ?? (browser.name && named(browser.name))
  if (!name) return system || unknown
  return own === undefined && system ? `${name} on ${system}` : name
}

const names: Readonly<Record<string, string>> = {
  'Microsoft Edge': 'Edge',
  'Samsung Internet for Android': 'Samsung Internet',
}

function named(text: string): string {
  return (names[text] ?? text)
    .replaceAll(/[^A-Za-z0-9 ._-]/g, '')
    .slice(0, 50)
    .trim()
}
