// Gives a fuzz target every file of a folder once: the corpus as a test, in builds without libFuzzer.
//
//   image_header_fuzz tests/fuzz/corpus/image
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1], error)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  if (error || files.empty()) {
    std::fprintf(stderr, "%s: no file of a corpus can be read there (%s).\n", argv[1], error.message().c_str());
    return 1;
  }
  std::sort(files.begin(), files.end());
  LLVMFuzzerTestOneInput(nullptr, 0);
  for (const std::filesystem::path& file : files) {
    // Known before the target runs: a crash shows whose it is.
    std::printf("%s\n", file.filename().c_str());
    std::fflush(stdout);
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    // A copy of its own and of the exact size: a sanitizer sees a read behind the end.
    const std::vector<uint8_t> data(bytes.begin(), bytes.end());
    if (LLVMFuzzerTestOneInput(data.data(), data.size()) != 0) {
      std::fprintf(stderr, "%s is none of the target's inputs. Correct or remove it.\n", file.c_str());
      return 1;
    }
  }
  std::printf("%zu files\n", files.size());
  return 0;
}
