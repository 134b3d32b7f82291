"""What a model uses, and what is still no part of it."""


class Untracked:
    """Keeps a value from becoming a part of the Keras model that holds it.

        self._teacher = untracked.Untracked(teacher)
        ...
        targets = self._teacher.value(images, training=False)

    Layers, models and variables in attributes of a Keras model are its own:
    they are in its weights, checkpoints and files, its optimizer trains them,
    and its steps guard them. What is held in here is in none of these, such as
    a teacher that is frozen, or metrics of `compile`. Whoever holds it creates
    it anew, with its weights, when the model is restored.

    Args:
        value: anything.

    Attributes:
        value: the same; another may be set.
    """

    def __init__(self, value):
        self.value = value
