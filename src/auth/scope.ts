const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

/** Whether a text is a scope-token (RFC 6749, section 3.3). */
export function isScopeToken(text: string): boolean {
  return scopeToken.test(text)
}
