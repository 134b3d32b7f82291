"""A callback that must not end `fit`, whatever happens to it."""

import tensorflow as tf

from tf_simmim.run import dispensable


class Dispensable(tf.keras.callbacks.Callback):
    """Calls another callback; when that fails, training goes on.

    For what people look at: bars, pictures, curves, alarms. Each error is a
    line in the log, once, and the callback is called again the next time.

    Nothing that changes the model may be in here, nor anything that several
    workers have to do together.

    Args:
        callback: tf.keras.callbacks.Callback.
    """

    def __init__(self, callback):
        super().__init__()
        self.callback = callback
        self._logged = set()

    def set_model(self, model):
        super().set_model(model)
        self.callback.set_model(model)

    def set_params(self, params):
        super().set_params(params)
        self.callback.set_params(params)

    def on_train_begin(self, logs=None):
        self._try(self.callback.on_train_begin, logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._try(self.callback.on_epoch_begin, epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._try(self.callback.on_train_batch_begin, batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._try(self.callback.on_train_batch_end, batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._try(self.callback.on_epoch_end, epoch, logs)

    def on_train_end(self, logs=None):
        self._try(self.callback.on_train_end, logs)

    def _try(self, method, *arguments):
        name = type(self.callback).__name__
        with dispensable.going_on_without(name, self._logged):
            method(*arguments)
