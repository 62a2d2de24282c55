"""What is measured: one file a family, and one adapter a library in ``adapters/``.

``adapters/`` has no ``__init__.py`` on purpose: asv imports every module of every package below
this folder, and an adapter imports a library that the environment may not have.
"""
