/** Not a store at all. */
export default { name: 'nothing' };
