/** The tag that helloWorld gives. */
export const HELLO_TAG = { Key: 'hello', Value: 'world' } as const;
