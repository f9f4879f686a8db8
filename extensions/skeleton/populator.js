// Runs in the populator: sees every change and publishes those that concern this extension.

export const createPopulator = ({ QueuePopulatorExtension, describeObject }) =>
  class MyExtensionPopulator extends QueuePopulatorExtension {
    filter(entry) {
      // undefined: no object was written, or it has been told of already.
      const object = describeObject(entry);
      if (!object || !object.objectKey.endsWith(this.extConfig.suffix)) return;
      // What the processor does to an object is a change as well, and comes by here: do not publish it again.
      if (object.value.tags?.['my-extension'] !== undefined) return;
      this.publish(this.extConfig.topic, `${object.bucket}/${object.objectKey}`, JSON.stringify(entry));
    }
  };
