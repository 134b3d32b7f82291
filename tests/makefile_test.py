"""Tests for how the Makefile finds a Python, and for what its targets do.

The interpreters on the search path are scripts: they answer questions with the
real Python, and only say what they were told to make or install.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from absl.testing import absltest

ROOT = pathlib.Path(__file__).parents[1]

SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"
UV = """#!/bin/sh
echo "uv $*"
exit 1
"""


def interpreter(minor):
    """A script that passes for Python 3.`minor`.

    It installs nothing; a file named `fail` makes the installation fail.
    """
    pretend = f"import sys; sys.version_info = (3, {minor}, 0)"
    return f"""#!/bin/sh
case "$1 $2 $3" in
  "-c "*) exec {sys.executable} -c '{pretend}; exec(sys.argv[1])' "$2" ;;
  "-m venv "*) echo "venv by $0"; mkdir -p $3/bin; cp "$0" $3/bin/python ;;
  "-m pip install") echo "install"; test ! -e fail ;;
esac
"""


@unittest.skipUnless(shutil.which("make"), "Needs make.")
class EnvironmentTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.project = pathlib.Path(folder.name).resolve() / "project"
        self.project.mkdir()
        for name in ("Makefile", "requirements.txt", "pyproject.toml"):
            shutil.copy(ROOT / name, self.project)
        self.path = self.project / "path"
        self.path.mkdir()
        for tool in ("cat", "cp", "mkdir", "rm"):
            (self.path / tool).symlink_to(shutil.which(tool))

    def add(self, name, script):
        program = self.path / name
        program.write_text(script)
        program.chmod(0o755)

    def make(self, *arguments):
        return subprocess.run(
            [shutil.which("make"), "environment", *arguments],
            capture_output=True,
            cwd=self.project,
            env={"PATH": str(self.path)},
            text=True,
        )

    def made_by(self, result):
        lines = result.stdout.splitlines()
        return [pathlib.Path(x).name for x in lines if x.startswith("venv by")]

    def test_without_a_fitting_python_one_sentence_says_what_to_type(self):
        self.add("python3.11", interpreter(9))
        self.add("python3.10", SHIM)
        result = self.make()
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "")
        why, what, *from_make = result.stderr.splitlines()
        self.assertRegex(why, r"^No Python 3.10 to 3.13 .*\.$")
        self.assertRegex(what, r"^Type `sudo apt install .*PYTHON=.*\.$")
        for line in from_make:
            self.assertRegex(line, r"^make(\[\d\])?: \*\*\* ")
        self.assertFalse((self.project / ".venv").exists())

    def test_pythons_that_fail_or_are_too_old_are_passed_over(self):
        self.add("python3.11", interpreter(9))
        self.add("python3.10", SHIM)
        self.add("python3", interpreter(11))
        result = self.make()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.made_by(result), ["python3"])

    def test_uv_is_asked_for_a_python_when_none_fits(self):
        self.add("python3", interpreter(9))
        self.add("uv", UV)
        result = self.make()
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("uv venv --quiet --python 3.11 .venv", result.stdout)

    def test_a_python_that_is_too_new_installs_uv_that_makes_another(self):
        # uv makes an environment without pip, and installs into it itself.
        makes = "mkdir -p $5/bin; cp ../mine $5/bin/python"
        (self.project.parent / "uv").write_text(
            f'#!/bin/sh\necho "$0 $1 $2"\ntest $1 != venv || {{ {makes}; }}\n'
        )
        (self.project.parent / "uv").chmod(0o755)
        (self.project.parent / "mine").write_text(
            interpreter(11).replace('"-m pip install") ', "*) exit 1; ")
        )
        (self.project.parent / "mine").chmod(0o755)
        self.add(
            "python3",
            interpreter(14).replace(
                'echo "install";', "cp ../uv .uv/bin/uv; exit 0;"
            ),
        )
        result = self.make()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(
            [line for line in result.stdout.splitlines() if "/uv " in line],
            [
                ".uv/bin/uv venv --quiet",
                ".uv/bin/uv pip install",
                ".uv/bin/uv pip check",
            ],
        )

    def test_without_uv_a_python_that_is_too_new_ends_in_the_sentence(self):
        self.add("python3", interpreter(14))
        (self.project / "fail").touch()
        result = self.make()
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(
            result.stderr.splitlines()[0], r"^No Python .* Python 3\.14 .*\.$"
        )

    def test_newer_pythons_are_taken_where_there_is_no_older_one(self):
        self.add("python3.13", interpreter(13))
        self.add("python3.12", interpreter(12))
        self.assertEqual(self.made_by(self.make()), ["python3.12"])

    def test_named_python_comes_before_those_on_the_path(self):
        self.add("python3.11", interpreter(11))
        self.add("mine", interpreter(11))
        result = self.make("PYTHON=mine")
        self.assertEqual(self.made_by(result), ["mine"])

    def test_named_python_that_does_not_fit_leaves_the_environment_alone(self):
        self.add("python3.11", interpreter(11))
        self.make()
        self.add("mine", interpreter(9))
        result = self.make("PYTHON=mine")
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, "^PYTHON must be .*Received: mine.\n")
        self.assertTrue((self.project / ".venv/.installed").exists())

    def test_second_run_does_nothing(self):
        self.add("python3.11", interpreter(11))
        self.assertIn("\ninstall\n", self.make().stdout)
        again = self.make()
        self.assertEqual(again.returncode, 0)
        self.assertEqual(again.stdout + again.stderr, "")

    def test_new_requirements_are_installed_into_the_same_environment(self):
        self.add("python3.11", interpreter(11))
        self.make()
        for name in ("requirements.txt", "pyproject.toml"):
            with self.subTest(name):
                stamp = self.project / ".venv/.installed"
                os.utime(stamp, (1, 1))
                os.utime(self.project / "requirements.txt", (0, 0))
                os.utime(self.project / "pyproject.toml", (0, 0))
                self.assertEqual(self.make().stdout, "")
                os.utime(self.project / name, (2, 2))
                again = self.make()
                self.assertIn("install\n", again.stdout)
                self.assertEqual(self.made_by(again), [])

    def test_interrupted_installation_is_repeated(self):
        self.add("python3.11", interpreter(11))
        (self.project / "fail").touch()
        self.assertNotEqual(self.make().returncode, 0)
        (self.project / "fail").unlink()
        again = self.make()
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("\ninstall\n", again.stdout)

    def test_broken_environment_is_made_anew(self):
        self.add("python3.11", interpreter(11))
        self.make()
        for script in (SHIM, interpreter(9)):
            python = self.project / ".venv/bin/python"
            python.write_text(script)
            again = self.make()
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertEqual(self.made_by(again), ["python3.11"])

    def test_moved_project_gets_an_environment_of_its_own(self):
        self.add("python3.11", interpreter(11))
        self.make()
        self.project = self.project.rename(self.project.parent / "moved")
        self.path = self.project / "path"
        self.assertEqual(self.made_by(self.make()), ["python3.11"])

    def test_named_python_of_another_version_replaces_the_environment(self):
        self.add("python3.11", interpreter(11))
        self.make()
        self.add("same", interpreter(11))
        self.assertEqual(self.made_by(self.make("PYTHON=same")), [])
        self.add("other", interpreter(10))
        self.assertEqual(self.made_by(self.make("PYTHON=other")), ["other"])


@unittest.skipUnless(shutil.which("make"), "Needs make.")
class StagesTest(absltest.TestCase):
    """What `make demo` and `make tour` would do; nothing of it is done."""

    def commands(self, *arguments):
        """Returns the command lines, without the set-up: list of str."""
        result = subprocess.run(
            [shutil.which("make"), "-n", *arguments, "VENV=nowhere"],
            capture_output=True,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            text=True,
            check=True,
        )
        lines = result.stdout.replace("\\\n", " ").splitlines()
        first = next(i for i, x in enumerate(lines) if x.startswith("printf"))
        self.assertFalse((ROOT / "nowhere").exists())
        return [" ".join(line.split()) for line in lines[first:]]

    def programs(self, commands):
        """Returns [(name of the program, its arguments)]."""
        starts = "nowhere/bin/python experiments/"
        words = [
            line.removeprefix(starts).split()
            for line in commands
            if line.startswith(starts)
        ]
        return [(name, arguments) for name, *arguments in words]

    def test_the_tour_begins_with_the_demo(self):
        demo, tour = self.commands("demo"), self.commands("tour")
        self.assertEqual(tour[: len(demo)], demo)
        self.assertEqual(
            [name for name, _ in self.programs(tour)],
            [
                *("pretrain.py", "evaluate.py", "finetune.py", "finetune.py"),
                *("compare.py", "write_images.py", "reconstruct.py"),
                "feature_pictures.py",
            ],
        )
        self.assertTrue((ROOT / "experiments" / "write_images.py").is_file())

    def test_one_line_for_each_stage_names_its_picture(self):
        *commands, last = self.commands("tour", "DEMO_WORKDIR=here")
        told = [line for line in commands if line.startswith("printf")]
        self.assertLen(told, len(self.programs(commands)) + 1)
        listed = last.split()
        self.assertEqual(listed[0], "ls")
        for line, following in zip(commands, commands[1:], strict=False):
            if following.startswith("nowhere"):
                self.assertStartsWith(line, "printf")
                place = line.split()[-1].strip("'").removesuffix("*.png")
                self.assertStartsWith(place, "here/")
                pictures = [x for x in listed if x.startswith(place)]
                if not place.endswith("digits"):
                    self.assertNotEmpty(pictures, line)

    def test_flags_and_folder_reach_every_stage(self):
        words = (
            *("DEMO_WORKDIR=here", "TOUR_FLAGS=--train_steps=30"),
            "FINETUNE_FLAGS=--train_steps=20 --warmup_epochs=2",
        )
        pretrain, *others = self.programs(self.commands("tour", *words))
        self.assertEqual(
            pretrain[1],
            ["--flagfile=demo.flags", "--workdir=here", "--train_steps=30"],
        )
        for name, arguments in others:
            text = " ".join(arguments)
            self.assertNotIn("runs/demo", text)
            self.assertIn("here", text)
            if name == "finetune.py":
                self.assertIn("--train_steps=20 --warmup_epochs=2", text)
        # Those of the tour are not those of the demo.
        (name, arguments), *_ = self.programs(self.commands("demo", *words))
        self.assertNotIn("--train_steps=30", arguments)
        (name, arguments), *_ = self.programs(self.commands("demo"))
        self.assertEqual((name, arguments), ("pretrain.py", []))

    def test_the_fine_tuned_network_is_made_first_where_it_is_not_there(self):
        with tempfile.TemporaryDirectory() as folder:
            words = ("compress", f"DEMO_WORKDIR={folder}")
            names = [name for name, _ in self.programs(self.commands(*words))]
            self.assertEqual(
                names, ["pretrain.py", "finetune.py", "compress.py"]
            )
            run = f"{folder}/finetuned"
            pathlib.Path(run, "checkpoints", "step-00000001").mkdir(
                parents=True
            )
            self.assertEqual(
                self.programs(self.commands(*words)),
                [
                    (
                        "compress.py",
                        ["--flagfile=digits_compress.flags", f"--run={run}"],
                    )
                ],
            )

    def test_a_network_is_served_with_a_command_to_ask_it(self):
        with tempfile.TemporaryDirectory() as folder:
            words = f"DEMO_WORKDIR={folder}"
            commands = self.commands("serve", words, "SERVE_PORT=8600")
            self.assertEqual(
                [name for name, _ in self.programs(commands)],
                ["pretrain.py", "export.py", "write_images.py"],
            )
            self.assertStartsWith(
                commands[-1],
                "nowhere/bin/python serving/serve.py "
                f"{folder}/export --rest_api_port=8600 $(ls {folder}/samples/",
            )
            self.assertIn(f"--sample_dir={folder}/samples", commands[-1])
            url = "http://127.0.0.1:8600/v1/models/default:predict"
            self.assertIn(f"curl -d @- {url}", commands[-2])
            self.assertIn(f"image=$(ls {folder}/samples/*.png", commands[-2])

            # What is there is not made again; whether the export is of the
            # run's last step, only the program knows.
            for name in ("checkpoints/2", "samples/0000.png"):
                (pathlib.Path(folder) / name).parent.mkdir(parents=True)
                (pathlib.Path(folder) / name).touch()
            again = self.commands("serve", words)
            self.assertEqual(
                self.programs(again),
                [("export.py", [f"--run={folder}", "--skip_if_current"])],
            )

    def test_another_run_and_other_flags_of_the_server_are_served(self):
        commands = self.commands(
            "serve", "SERVE_RUN=runs/mine", "SERVE_FLAGS=--port=0"
        )
        (export, write) = self.programs(commands)
        self.assertEqual(
            export, ("export.py", ["--run=runs/mine", "--skip_if_current"])
        )
        self.assertContainsSubset(
            ["--run=runs/mine", "--image_dir=runs/mine/samples"], write[1]
        )
        self.assertStartsWith(
            commands[-1],
            "nowhere/bin/python serving/serve.py runs/mine/export "
            "--rest_api_port=8501 ",
        )
        self.assertEndsWith(commands[-1], " --port=0")

    def test_images_of_a_run_may_be_kept_out_of_the_page(self):
        commands = self.commands(
            "serve", "SERVE_RUN=runs/mine", "SERVE_SAMPLES="
        )
        self.assertEqual(
            [name for name, _ in self.programs(commands)], ["export.py"]
        )
        self.assertEndsWith(commands[-1], "/export --rest_api_port=8501")

    def test_the_page_of_the_tour_goes_through_its_commands(self):
        page = ROOT / "docs" / "tour.md"
        text = page.read_text()
        shown = [
            line.split()[1:]
            for line in text.replace("\\\n", " ").splitlines()
            if line.startswith("    python experiments/")
        ]
        made = self.programs(self.commands("tour"))
        self.assertEqual(
            shown, [[f"experiments/{name}", *words] for name, words in made]
        )
        for link in re.findall(r"\]\(([^)]+)\)", text):
            file = page.parent / link
            self.assertTrue(file.is_file(), link)
            self.assertTrue(
                file.suffix != ".png" or file.stat().st_size < 150_000, link
            )


if __name__ == "__main__":
    absltest.main()
