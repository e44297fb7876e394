// Real photographs, where a folder of them is given: every file decodes, whole and reduced, with the header's size.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/file.h"
#include "model/image/decode.h"

namespace sightline::image {
namespace {

std::vector<std::string> Photographs(const std::string& folder, size_t most) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    for (const char* wanted : {".jpg", ".jpeg", ".png", ".webp"}) {
      if (absl::EqualsIgnoreCase(extension, wanted)) paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  const size_t step = paths.size() / most + 1;
  std::vector<std::string> some;
  for (size_t i = 0; i < paths.size(); i += step) some.push_back(paths[i]);
  return some;
}

TEST(PhotographTest, DecodeWholeAndReduced) {
  const char* folder = std::getenv("SIGHTLINE_SHARED_DATA");
  if (folder == nullptr) GTEST_SKIP() << "SIGHTLINE_SHARED_DATA does not name a folder of photographs";
  const std::vector<std::string> paths = Photographs(folder, 200);
  if (paths.empty()) GTEST_SKIP() << "no photograph lies in " << folder;
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    const absl::StatusOr<std::string> bytes = base::ReadFile(path, Limits().max_encoded_bytes);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const absl::StatusOr<Header> header = ReadHeader(*bytes, {});
    ASSERT_TRUE(header.ok()) << header.status();
    for (int wanted_side : {0, 32}) {
      const absl::StatusOr<Image> image = Decode(*bytes, {}, {.wanted_side = wanted_side});
      ASSERT_TRUE(image.ok()) << image.status();
      EXPECT_EQ(image->original_width, header->orientation >= 5 ? header->height : header->width);
      EXPECT_GE(std::max(image->width, image->height),
                std::min(std::max(header->width, header->height), 2 * wanted_side));
    }
  }
}

}  // namespace
}  // namespace sightline::image
