#include "model/train/run/architecture_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/status.h"
#include "tests/model/train/data/layout_files.h"
#include "tests/support/temp_folder.h"

namespace sightline::train {
namespace {

using ::testing::HasSubstr;

TEST(ArchitectureFileTest, IsOfTheZooOrAPath) {
  const ::sightline::testing::TempFolder folder;
  const std::string zoo = folder.Path("zoo");
  WriteBelow(folder.path(), "zoo/tiny/model.json", "tiny of the zoo");
  WriteBelow(folder.path(), "own/model.json", "own");
  WriteBelow(folder.path(), "other.json", "other");
  EXPECT_EQ(*ReadArchitecture("tiny", zoo), "tiny of the zoo");
  EXPECT_EQ(*FindArchitecture("tiny", zoo), zoo + "/tiny/model.json");
  EXPECT_EQ(*ReadArchitecture(folder.Path("own"), zoo), "own");
  EXPECT_EQ(*ReadArchitecture(folder.Path("own/model.json"), zoo), "own");
  EXPECT_EQ(*ReadArchitecture(folder.Path("other.json"), zoo), "other");
}

TEST(ArchitectureFileTest, WhatIsNotThereIsNamed) {
  const ::sightline::testing::TempFolder folder;
  const absl::Status nobody = FindArchitecture("nobody", folder.path()).status();
  EXPECT_EQ(base::GetErrorInfo(nobody).reason, "MODEL_NOT_FOUND");
  EXPECT_THAT(std::string(nobody.message()), HasSubstr(folder.Path("nobody/model.json")));
  // Names that no file system takes: an answer, not an exception.
  for (const std::string& name : {folder.path() + "/absent", std::string(100'000, 'x'),
                                  std::string(100'000, 'x') + "/y", std::string(), folder.path()}) {
    EXPECT_EQ(base::GetErrorInfo(FindArchitecture(name, folder.path()).status()).reason, "MODEL_NOT_FOUND");
  }
}

}  // namespace
}  // namespace sightline::train
