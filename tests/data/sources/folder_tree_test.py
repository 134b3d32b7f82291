"""Tests for which files of a folder tf_simmim.data.sources.folder reads."""

import os

import tensorflow as tf
from absl.testing import parameterized

from tests.data.sources.image_folder import ImageFolderTestCase
from tests.data.sources.image_folder import pixels
from tf_simmim.data.sources import folder
from tf_simmim.data.sources import folder_tree


class FolderTreeTest(ImageFolderTestCase, parameterized.TestCase):
    def test_the_same_name_in_two_folders_is_two_images(self):
        for number, name in enumerate(("cat/a.png", "Cat/a.png", "cat/a.jpg")):
            self.write(name, number)
        source = folder.FolderSource(str(self.root), "all")
        self.assertEqual(
            self.names(source), ["Cat/a.png", "cat/a.jpg", "cat/a.png"]
        )
        self.assertEqual(source.class_names, ("Cat", "cat"))

    def test_a_loop_of_links_is_not_followed_and_is_logged(self):
        self.write("cat/a.png")
        (self.root / "cat/loop").symlink_to(self.root)
        (self.root / "dog").symlink_to(self.root / "cat")
        (self.root / "emu.png").symlink_to(self.root / "cat")
        with self.assertLogs("absl", "WARNING") as logs:
            source = folder.FolderSource(str(self.root))
        self.assertEqual(self.names(source), ["cat/a.png"])
        self.assertLen(logs.output, 1)
        self.assertIn(
            "a link to a folder that is read already, or that this one lies "
            f"in, 3 in all: {self.root}/cat/loop",
            logs.output[0],
        )

    def test_linked_folders_are_read_once_each_and_in_a_fixed_order(self):
        self.write("elsewhere/bee/deep/a.png", 1)
        self.write("elsewhere/bee/b.png", 2)
        self.write("pets/cat/a.png", 3)
        root = self.root / "pets"
        # A class, the same once more, a part of it, and ways back.
        (root / "bee").symlink_to(self.root / "elsewhere/bee")
        (root / "bug").symlink_to(self.root / "elsewhere/bee")
        (root / "cat/part").symlink_to(self.root / "elsewhere/bee/deep")
        (self.root / "elsewhere/bee/up").symlink_to(self.root)
        (self.root / "elsewhere/bee/self").symlink_to("self")
        for _ in range(2):
            source = folder.FolderSource(str(root), "all")
            self.assertEqual(
                self.names(source),
                ["pets/bee/b.png", "pets/bee/deep/a.png", "pets/cat/a.png"],
            )
        self.assertEqual(source.class_names, ("bee", "cat"))
        self.assertAllEqual(self.read(source, 0)["image"], pixels(2))
        # As runs began before links were followed.
        old = folder.FolderSource(str(root), "all", rules=1)
        self.assertEqual(self.names(old), ["pets/cat/a.png"])

    def test_the_folder_itself_may_be_a_link(self):
        self.write("images/a.png")
        (self.root / "link").symlink_to(self.root / "images")
        self.assertLen(folder.FolderSource(str(self.root / "link")), 1)

    def test_a_link_to_a_file_is_read(self):
        self.write("elsewhere.image.png", 2)
        os.rename(self.root / "elsewhere.image.png", self.root / "elsewhere")
        (self.root / "a.png").symlink_to("elsewhere")
        source = folder.FolderSource(str(self.root))
        self.assertEqual(self.names(source), ["a.png"])
        self.assertAllEqual(self.read(source, 0)["image"], pixels(2))

    def test_links_that_lead_nowhere_are_an_error_that_names_the_first(self):
        self.write("a.png")
        for name in ("c.png", "b.png"):
            (self.root / name).symlink_to("nowhere")
        with self.assertRaisesRegex(
            ValueError, f"2 links to nowhere.* {self.root}/b.png -> nowhere"
        ):
            folder.FolderSource(str(self.root))

    @parameterized.parameters(
        ("cow", "cat/a.png"),
        ("St. Bernard", "cat/a.png"),
        ("v1.2", "cat/a.png"),
        ("cat/2019", "cat/a.png"),
        ("val", "train/cat/a.png"),
        ("train", "val/a.png"),
    )
    def test_a_link_to_a_folder_that_is_gone_is_an_error(self, name, image):
        self.write(image)
        (self.root / name).symlink_to("/gone/it")
        for split in ("train", "validation", "all"):
            with self.assertRaisesRegex(
                ValueError,
                f"1 link to nowhere.* {self.root}/{name} -> /gone/it",
            ):
                folder.FolderSource(str(self.root), split)

    def test_a_link_to_a_file_of_another_kind_may_lead_nowhere(self):
        self.write("a.png")
        (self.root / "notes.txt").symlink_to("/gone/notes.txt")
        (self.root / "notes").symlink_to("/gone/notes.md")
        (self.root / "self").symlink_to("self")
        source = folder.FolderSource(str(self.root))
        self.assertEqual(self.names(source), ["a.png"])
        (self.root / "cow").symlink_to("/gone/cow")
        source = folder.FolderSource(str(self.root), rules=1)
        self.assertEqual(self.names(source), ["a.png"])

    def test_a_folder_that_may_not_be_read_is_an_error_that_names_it(self):
        self.write("cat/a.png")
        self.write("dog/a.png")
        self.root.chmod(0o755)
        (self.root / "dog").chmod(0o000)
        self.addCleanup((self.root / "dog").chmod, 0o755)
        if os.geteuid() == 0:  # who may read everything
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        with self.assertRaisesRegex(
            ValueError, f"readable. Received: {self.root}/dog, Permission"
        ):
            folder.FolderSource(str(self.root))

    def test_a_file_that_is_gone_is_named_when_it_is_read(self):
        self.write("a.png")
        source = folder.FolderSource(str(self.root))
        (self.root / "a.png").unlink()
        with self.assertRaisesRegex(tf.errors.NotFoundError, "a.png"):
            self.read(source, 0)

    def test_an_empty_sub_folder_is_no_class_and_is_logged(self):
        self.write("cat/deep/a.png")
        self.write("dog/a.png")
        (self.root / "emu/deep").mkdir(parents=True)
        with self.assertLogs("absl", "WARNING") as logs:
            source = folder.FolderSource(str(self.root))
        self.assertEqual(source.class_names, ("cat", "dog"))
        self.assertLen(logs.output, 1)
        self.assertIn(
            f"without images, 1 in all: {self.root}/emu", logs.output[0]
        )

    def test_images_of_other_formats_are_left_out_and_logged(self):
        self.write("a.png")
        for name in ("b.webp", "c.TIFF", "notes.txt", "._d.webp"):
            (self.root / name).write_bytes(b"")
        with self.assertLogs("absl", "WARNING") as logs:
            folder.FolderSource(str(self.root))
        self.assertLen(logs.output, 1)
        self.assertIn(f"2 in all: {self.root}/b.webp", logs.output[0])

    def test_pipes_and_folders_with_the_names_of_images_are_left_out(self):
        self.write("a.png")
        self.write("folder.png/b.png")
        os.mkfifo(self.root / "pipe.png")
        self.assertEqual(
            self.names(folder.FolderSource(str(self.root), "all")),
            ["a.png", "folder.png/b.png"],
        )

    @parameterized.parameters(
        (b"plain name.jpg", "plain name.jpg"),
        ("f\u00fcr.jpg".encode(), "f\u00fcr.jpg"),
        (b"a\xe9\x1b[0m\n.jpg", r"a\xe9\x1b[0m\x0a.jpg"),
        (b"a\\xe9.jpg", r"a\\xe9.jpg"),
        ("a\u202eb".encode(), r"a\xe2\x80\xaeb"),
    )
    def test_names_are_printed_safely(self, path, text):
        self.assertEqual(folder_tree.printable(path), text)

    def test_no_error_of_a_folder_prints_what_moves_a_cursor(self):
        name = "\x1b[2J\n.png"
        (self.root / name).write_bytes(b"no image")
        source = folder.FolderSource(str(self.root))
        self.assertEqual(source.describe(0), rf"{self.root}/\x1b[2J\x0a.png")
        (self.root / name).unlink()
        (self.root / name).symlink_to("nowhere")
        with self.assertRaises(ValueError) as caught:
            folder.FolderSource(str(self.root))
        self.assertTrue(str(caught.exception).isprintable())


if __name__ == "__main__":
    tf.test.main()
