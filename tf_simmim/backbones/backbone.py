"""What every backbone is, for Keras and for those who ask what it will be."""

import inspect

import tensorflow as tf

from tf_simmim import freezing
from tf_simmim.backbones import block_plan
from tf_simmim.backbones import checks
from tf_simmim.backbones import tap_places
from tf_simmim.layers import unconnected


class Backbone(freezing.KeepsFrozen, unconnected.Unconnected, tf.keras.Model):
    """A Keras model of its own class, whose frozen parts are kept in a file.

    A base class. Each argument of a subclass's constructor is an attribute of
    the same name, and an entry of `get_config`.

    Args:
        **kwargs: passed to `tf.keras.Model`.
    """

    @classmethod
    def plan(cls, config) -> block_plan.BlockPlan:
        """Counts the weights and the work of a backbone that need not exist.

            plan = backbones.ViT.plan({"image_size": 224, "depth": 6})
            plan.num_weights, plan.flops

        No variable is made, and a number that is absurdly large costs nothing.

        Args:
            config: dict of constructor arguments, from `get_config` or JSON.
                What it leaves out has its default. Others (`name`, `dtype`)
                make no difference.

        Returns:
            `BlockPlan`.

        Raises:
            ValueError: what the constructor refuses too: a missing argument,
                or one of a wrong kind, sign or length.
        """
        arguments = {
            name: config.get(name, default)
            for name, default in cls._defaults().items()
        }
        if inspect.Parameter.empty in arguments.values():
            missing = [
                name
                for name, value in arguments.items()
                if value is inspect.Parameter.empty
            ]
            raise ValueError(
                f"`config` must have every argument of {cls.__name__} that "
                f"has no default. Missing: {missing}."
            )
        return cls._plan(**arguments)

    # Words that `taps` knows for every block, besides "output".
    block_taps = ()

    def taps(self, images, where, patch_mask=None, training=False, seed=None):
        """Returns activations at named places, from one forward pass.

            found = backbone.taps(images, ["block_3/keys", "features"])

        Works eagerly, in a `tf.function`, under XLA and on a `tf.keras.Input`;
        gradients flow. Nothing is kept between calls, and blocks behind the
        last place are not computed: a loop over a data set needs the memory of
        one batch.

        Args:
            images: float [B, H, W, C]. Normalised.
            where: str, or sequence of them: "features", what a call returns;
                or "block_I/WORD" for I in [0, num_blocks). "output" is the
                block's, before a final norm: tokens [B, M, D] in a ViT, with
                those that stand for no patch in front; else a map. A
                transformer's blocks also know "queries", "keys", "values",
                "attention", "heads" (see `layers.SelfAttention`; in a Swin
                of the windows of one image after another) and "mlp_hidden"
                (after GELU).
            patch_mask: int or bool [B, h, w], or None. 1 = hidden.
            training: bool.
            seed: int64 [2] or None. As for a call.

        Returns:
            {place: tensor}, in the order of `where`.

        Raises:
            ValueError: a place is unknown; the message lists the known ones.
        """
        where = [where] if isinstance(where, str) else list(where)
        names = tap_places.by_block(where, self.num_blocks, self.block_taps)
        needed = max(names, default=-1)
        if "features" in where:
            needed = self.num_blocks - 1
        words = {
            block: tuple(w for w in chosen if w != "output")
            for block, chosen in names.items()
        }
        found, state = {}, None
        states = self._states(images, patch_mask, training, seed, words)
        for i, (state, tapped) in enumerate(states):
            for word, value in tapped.items():
                found[f"block_{i}/{word}"] = value
            found[f"block_{i}/output"] = self._output(state)
            if i == needed:
                break
        if "features" in where:
            found["features"] = self._features(state, training)
        return {place: found[place] for place in where}

    def block_features(self, images, blocks):
        """Returns what chosen blocks make of whole images, for probing.

        SimMIM's best frozen features lie in the middle of the network.

        Args:
            images: float [B, H, W, C]. Normalised.
            blocks: sequence of int in [0, num_blocks). Which blocks, counted
                through all stages.

        Returns:
            list of float feature maps, one per entry of `blocks`, of their
            stages' sizes, without a class token; for the last block after the
            final norm, so that it equals `backbone(images)`.

        Raises:
            ValueError: a number is not in [0, num_blocks).
        """
        checks.require_blocks(blocks, self.num_blocks)
        states = [x for x, _ in self._states(images, None, False, None)]
        maps = [self._map(state) for state in states]
        maps[-1] = self._features(states[-1], False)
        return [maps[block] for block in blocks]

    def up_to_last_block(
        self, images, patch_mask=None, training=None, seed=None
    ):
        """Runs all blocks but the last, if that one can do with chosen cells.

        Features of cells that nobody reads cost nothing then:

            last_block = backbone.up_to_last_block(images, patch_mask)
            last_block(cells)  # float [B, n, D], at cells int32 [B, n]
            last_block()       # float [B, h, w, D]

        The last line equals a call, the one before it the same at `cells`
        (row-major numbers); so do their gradients. Arguments are those of a
        call.

        Returns:
            A function as above; or None, with nothing computed, where the last
            block needs all cells.
        """
        return None

    def _states(self, images, patch_mask, training, seed, taps=None):
        """Yields (what a block gives to the next, {word: tensor}) of each.

        The arguments are those of a call, and `taps`: {block: words}.
        """
        raise NotImplementedError

    def _output(self, state):
        """Returns the tensor that a block gives."""
        return state

    def _map(self, state):
        """Returns it as a feature map [B, h, w, D]."""
        return state

    def _features(self, state, training):
        """Returns the feature map of the last block, after the final norm."""
        raise NotImplementedError

    @classmethod
    def _plan(cls, **arguments):
        """Returns the `BlockPlan` of arguments, none of them left out."""
        raise NotImplementedError

    @classmethod
    def _defaults(cls):
        """Returns {argument: its default} of the constructor."""
        parameters = inspect.signature(cls.__init__).parameters
        return {
            name: parameter.default
            for name, parameter in parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            and name != "self"
        }

    def _set_arguments(self, **arguments):
        """Makes attributes of the arguments and of the sizes in their plan.

        Returns the plan.
        """
        plan = self._plan(**arguments)
        self._argument_names = tuple(arguments)
        for name, value in arguments.items():
            if isinstance(value, list | tuple):
                value = tuple(value)  # JSON has lists alone
            setattr(self, name, value)
        self.image_size = plan.image_size
        self.grid_size = plan.grid_size
        self.stride = plan.stride
        self.num_features = plan.num_features
        return plan

    def get_config(self):
        """Returns the constructor's arguments."""
        arguments = {name: getattr(self, name) for name in self._argument_names}
        return {**super().get_config(), **arguments}
