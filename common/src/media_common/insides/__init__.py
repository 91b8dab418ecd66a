"""What is inside media files: sizes, and what the camera wrote. For processes that may die of the file they read.

`read.described(file, form)` and `read.sized(file, form)` take an open file, wherever it is from, and may raise anything
or end the process on hostile bytes: call them in a child process. The service that does so depends on Pillow,
pillow-heif, rawpy and av, and for documents on pypdf. `description.Description` and the rules in `camera.py` are pure.
"""
