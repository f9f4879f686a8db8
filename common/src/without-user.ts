/** A text with the user and the password taken out of each URL in it. */
export function withoutUser(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/\s?#]*@/gi, '$1');
}
