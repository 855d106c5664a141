const moments = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'UTC',
})

/** `21 November 2026 at 19:40 UTC` */
export function momentInWords(moment: Date): string {
  return `${moments.format(moment)} UTC`
}

/** One line of what somebody wrote: no control character, and none that turns the direction of what follows it. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim()
}

/**
 * A name that somebody chose, in which no reader of mails finds an address to make a link of: who may choose a name must not
 * be able to send links of their own in our mails.
 */
export function nameInWords(name: string): string {
  // A zero-width non-joiner, which is not seen, behind what joins the parts of an address.
  return oneLine(name).replaceAll(/([./:@])(?=\S)/g, '$1\u200C')
}

/** An address as it is, unless its local part has what a link can be made of: `ann+www.evil.example/x@acme.example` is Ann's too. */
export function addressInWords(email: string): string {
  return /^[a-z0-9._+-]+@[a-z0-9.-]+$/.test(email) ? email : nameInWords(email)
}

/** Ends a sentence, which may end with a name that has its own full stop: `Acme Inc.` */
export function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

/** `from Firefox on Linux at 192.0.2.1`; nothing where nothing is known. */
export function originInWords(device: string | undefined, address: string | undefined): string {
  const parts = [
    ...(device ? [`from ${nameInWords(device)}`] : []),
    ...(address ? [`at the address ${oneLine(address)}`] : []),
  ]
  return parts.join(', ')
}
