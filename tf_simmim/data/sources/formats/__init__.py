"""The image formats that can be read, one per file.

Everything is TensorFlow operations, so that training, evaluation and an
exported model read a file alike.
"""
