"""Client and AsyncClient against a real server: the tests of every noun, on one server, which takes longer to start
than most of them to run."""

import support

if __name__ == "__main__":
    support.main("search_test", "images_test", "collections_test", "errors_test", "async_test")
