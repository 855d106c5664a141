/** The version of this program; `npm test` holds it to package.json's. */
export const version = '0.1.0'
