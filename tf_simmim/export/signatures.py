"""What a served model can be asked: functions of batches of tensors.

Dimension key:
  B: batch   H W: model input, px   C: channels   P: model patch, px
  h w: grid of model patches = H/P, W/P   h' w': feature map   D: num_features
  N: cells of the feature map = h'*w', row-major   L: number of classes
  K: classes in an answer = min(5, L)
"""

import inspect

import tensorflow as tf

from tf_simmim import masking
from tf_simmim import randomness
from tf_simmim.models import registry

# The feature of a `tf.train.Example` that holds the file, as prepare.py
# writes it.
EXAMPLE_FEATURE = "image/encoded"
_TOP_K = 5
# What is hidden, in pictures: as in `visualization.reconstruction_grid`.
_HIDDEN_COLOURS = {1: (128,), 3: (128, 140, 165)}


def _as_it_is(function):
    return function


class Signatures:
    """The functions that an export offers, by name.

    Each takes tensors and returns a dict of tensors, all of which have the
    batch as first dimension; floats are float32 under every precision, there
    are no optional inputs, and nothing is random but by a `seed`. An image
    file is `image_bytes`, pixels are on the 0..255 scale, in a mask 1 =
    hidden and 0 = visible.

    =====================  =============================================
    features               any model; pooled features of a file
    features_tokens        any model; those of each cell
    features_from_pixels   any model; pooled features of an array
    reconstruct            `models.SimMIM`; of a file and a mask
    reconstruct_random     the same, with a mask drawn from a seed
    reconstruct_png        the same as `reconstruct`, as PNG files
    predict                `models.Classifier`; of a file
    classify               the same, of `tf.train.Example`s
    =====================  =============================================

    Images of other than 1 or 3 channels have no files: such a model has
    `features_from_pixels` alone.

    Which ones there are besides features is in the row of the model's kind in
    `models.registry`, which may bring functions of its own.

    `models.SimMIM` leaves out work in its training step; what is computed
    here is not that step but `call`, in full, for any mask.

    Args:
        model: `models.SimMIM`, `models.Classifier` or another model with a
            `backbone`, of a kind in `models.registry`.
        preprocessing: `Preprocessing`, for images of the backbone's size.
        function: function (callable) -> callable, put around what several of
            the functions share; `tf.function` so that a graph holds the
            network once for each use. Default: nothing, for eager mode.

    Attributes:
        kind: `models.registry.ModelKind` of the model.
        default: str, the name that answers where none is named.

    Raises:
        ValueError: `preprocessing` makes images of another size, or no kind
            is registered for the model.
    """

    def __init__(self, model, preprocessing, function=_as_it_is):
        backbone = model.backbone
        wanted = (*backbone.image_size, backbone.channels)
        made = (*preprocessing.image_size, preprocessing.channels)
        if made != wanted:
            raise ValueError(
                "`preprocessing` must make images for the backbone, "
                f"{wanted} (height, width, channels). Received: {made}."
            )
        self.model = model
        self.kind = registry.kind_of(model)
        self.preprocessing = preprocessing
        self.default = "features_from_pixels"
        if preprocessing.takes_files:
            self.default = "features"
        self._images = function(self._read)
        self._feature_map = function(self._encode)
        self._prediction = function(self._predict)
        self._logits = function(self._classify)
        self.draw_masks = function(self._draw)

    def functions(self) -> dict:
        """Returns {name: function} of what this model can be asked."""
        names = ["features_from_pixels"]
        if self.preprocessing.takes_files:
            names += ["features", "features_tokens"]
        found = {}
        for more in self.kind.signatures:
            if callable(more):
                found |= more(self)
            elif self.preprocessing.takes_files:
                names.append(more)
        found |= {name: getattr(self, name) for name in names}
        return dict(sorted(found.items()))

    def input_specs(self, name) -> list[tf.TensorSpec]:
        """Returns what a function takes, in the order of its arguments."""
        image_shape = [*self.preprocessing.image_size]
        specs = {
            "image_bytes": ([None], tf.string),
            "inputs": ([None], tf.string),
            "pixels": (
                [None, *image_shape, self.preprocessing.channels],
                tf.float32,
            ),
            "patch_mask": ([None, *self.model.backbone.grid_size], tf.int32),
            "seed": ([None], tf.int64),
        }
        arguments = inspect.signature(self.functions()[name]).parameters
        return [
            tf.TensorSpec(*specs[argument], name=argument)
            for argument in arguments
        ]

    def features(self, image_bytes) -> dict:
        """Pooled features: the mean of the feature map.

        Of a classifier it is what its linear layer sees: where the head has a
        norm, after that.

        Args:
            image_bytes: string [B].

        Returns:
            dict: `features` float32 [B, D].
        """
        images = self._images(image_bytes)
        return {"features": self._pool(self._feature_map(images))}

    def features_from_pixels(self, pixels) -> dict:
        """The same, of images that are decoded and have the right size.

        Args:
            pixels: float32 [B, H, W, C], 0..255.

        Returns:
            dict: `features` float32 [B, D].
        """
        images = self.preprocessing.normalize(pixels)
        return {"features": self._pool(self._feature_map(images))}

    def features_tokens(self, image_bytes) -> dict:
        """The feature map, cell by cell.

        Args:
            image_bytes: string [B].

        Returns:
            dict: `tokens` float32 [B, N, D].
        """
        feature_map = self._feature_map(self._images(image_bytes))
        height, width, features = feature_map.shape[1:]
        return {
            "tokens": tf.reshape(feature_map, [-1, height * width, features])
        }

    def reconstruct(self, image_bytes, patch_mask) -> dict:
        """What the model puts where an image is hidden.

        Args:
            image_bytes: string [B].
            patch_mask: int32 [B, h, w]. 0 = visible, all else = hidden.

        Returns:
            dict: `reconstruction` float32 [B, H, W, C], for every pixel, on
            the 0..255 scale, not rounded or clipped; `masked_l1` float32
            [B], mean of |x - y| over the hidden pixels on the 0..1 scale, as
            in `evaluation.reconstruction_errors`; 0 where nothing is hidden.
        """
        _, _, prediction, errors = self._reconstructed(image_bytes, patch_mask)
        return {"reconstruction": prediction, "masked_l1": errors}

    def reconstruct_random(self, image_bytes, seed) -> dict:
        """The same under a mask of the model's own strategy and ratio.

        Args:
            image_bytes: string [B].
            seed: int64 [B]. Equal seeds draw equal masks, whatever else is in
                the batch; 0 draws that of reconstruct.py's first image.

        Returns:
            dict: as of `reconstruct`, and `patch_mask` int32 [B, h, w].
        """
        patch_mask = self.draw_masks(seed)
        answer = self.reconstruct(image_bytes, patch_mask)
        return {**answer, "patch_mask": patch_mask}

    def reconstruct_png(self, image_bytes, patch_mask) -> dict:
        """The same as pictures: a hundredth of the bytes in JSON.

        Args:
            image_bytes: string [B].
            patch_mask: int32 [B, h, w]. 0 = visible, all else = hidden.

        Returns:
            dict of string [B], PNG files of [H, W, C]: `masked_png_bytes`,
            the image with hidden patches in one colour;
            `reconstruction_png_bytes`, the prediction for every pixel;
            `composite_png_bytes`, the prediction where the image is hidden,
            the image where it is visible.
        """
        pixels, hidden, prediction, _ = self._reconstructed(
            image_bytes, patch_mask
        )
        colour = tf.constant(
            _HIDDEN_COLOURS[self.preprocessing.channels], tf.float32
        )
        return {
            "masked_png_bytes": _png(tf.where(hidden, colour, pixels)),
            "reconstruction_png_bytes": _png(prediction),
            "composite_png_bytes": _png(tf.where(hidden, prediction, pixels)),
        }

    def predict(self, image_bytes) -> dict:
        """The classes of images.

        Args:
            image_bytes: string [B].

        Returns:
            dict: `probabilities` float32 [B, L], `logits` float32 [B, L],
            `label` int64 [B], the most probable class, and `class_name`
            string [B], its name, or number for classes without names.
        """
        logits = self._logits(self._images(image_bytes))
        label = tf.argmax(logits, axis=-1)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "label": label,
            "class_name": tf.gather(self.class_names(), label),
        }

    def classify(self, inputs) -> dict:
        """The same in the form of TensorFlow Serving's Classify.

        Args:
            inputs: string [B]. Serialized `tf.train.Example`s with the bytes
                feature `image/encoded`, an image file: records as prepare.py
                writes them will do.

        Returns:
            dict: `classes` string [B, K] and `scores` float32 [B, K], the
            most probable ones, best first.
        """
        parsed = tf.io.parse_example(
            inputs, {EXAMPLE_FEATURE: tf.io.FixedLenFeature([], tf.string)}
        )
        logits = self._logits(self._images(parsed[EXAMPLE_FEATURE]))
        count = min(_TOP_K, self.model.num_classes)
        # Of logits: probabilities may be equal where these are not.
        _, labels = tf.math.top_k(logits, count)
        scores = tf.gather(tf.nn.softmax(logits), labels, batch_dims=1)
        return {
            "classes": tf.gather(self.class_names(), labels),
            "scores": scores,
        }

    def class_names(self) -> list[str]:
        """Returns the names of a classifier's classes, or their numbers."""
        numbers = map(str, range(self.model.num_classes))
        return list(self.model.class_names or numbers)

    def _read(self, image_bytes):
        return self.preprocessing.normalize(
            self.preprocessing.decode(image_bytes)
        )  # [B, H, W, C]

    def _encode(self, images):
        feature_map = self.model.backbone(images, training=False)
        return tf.cast(feature_map, tf.float32)  # [B, h', w', D]

    def _pool(self, feature_map):
        return self.kind.pool(self.model, feature_map)  # [B, D]

    def _predict(self, images, patch_mask):
        outputs = self.model(images, patch_mask=patch_mask, training=False)
        return tf.cast(outputs["reconstruction"], tf.float32)  # [B, H, W, C]

    def _classify(self, images):
        logits = self.model(images, training=False)
        return tf.cast(logits, tf.float32)  # [B, L]

    def _draw(self, seed):
        random_mask = self.model.random_mask
        shape = random_mask.grid_size

        def draw_one(number):
            mask = random_mask.sample(
                randomness.seed_for(number, randomness.MASK, 0)
            )
            return tf.ensure_shape(mask, shape)

        return tf.map_fn(
            draw_one, seed, fn_output_signature=tf.TensorSpec(shape, tf.int32)
        )  # [B, h, w]

    def _reconstructed(self, image_bytes, patch_mask):
        """Returns pixels, which of them are hidden, prediction, and errors."""
        patch_mask = tf.cast(tf.cast(patch_mask, tf.bool), tf.int32)
        images = self._images(image_bytes)
        prediction = self.preprocessing.to_pixels(
            self._prediction(images, patch_mask)
        )
        pixels = self.preprocessing.to_pixels(images)
        hidden = masking.to_pixel_mask(
            patch_mask, self.model.backbone.patch_size
        )[..., tf.newaxis]  # [B, H, W, 1]
        errors = tf.abs(_unit(pixels) - _unit(prediction))
        weights = tf.cast(hidden, tf.float32)
        total = tf.reduce_sum(errors * weights, axis=[1, 2, 3])
        count = tf.reduce_sum(weights, axis=[1, 2, 3])
        count = tf.maximum(count, 1.0) * self.preprocessing.channels
        return pixels, hidden == 1, prediction, total / count


def _unit(pixels):
    """Returns 0..255 pixels on the 0..1 scale, cut to it."""
    return tf.clip_by_value(pixels / 255.0, 0.0, 1.0)


def _png(pixels):
    """Returns the PNG files, string [B], of pixels [B, H, W, C]."""
    pixels = tf.cast(tf.clip_by_value(tf.round(pixels), 0.0, 255.0), tf.uint8)
    return tf.map_fn(
        tf.io.encode_png,
        pixels,
        fn_output_signature=tf.TensorSpec([], tf.string),
    )  # [B]
