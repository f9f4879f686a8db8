// The section "extensions.myExtension" of the configuration. Each field can be set by an environment
// variable, too: EXTENSIONS_MYEXTENSION_TOPIC, EXTENSIONS_MYEXTENSION_SUFFIX.

const DEFAULTS = { topic: 'my-extension', suffix: '.txt' };

/** Returns the section with its defaults. Throws when a field is wrong, and names it. */
export function configValidator(backbeatConfig, section) {
  const config = { ...DEFAULTS, ...section };
  for (const field of Object.keys(DEFAULTS)) {
    if (typeof config[field] !== 'string' || config[field] === '') {
      throw new Error(`${field}: expected a text`);
    }
  }
  return config;
}
