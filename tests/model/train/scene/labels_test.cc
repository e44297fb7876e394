#include "model/train/scene/labels.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace sightline::scene {
namespace {

TEST(LabelsTest, AreReadAsTheyWereWritten) {
  const ::sightline::testing::TempFolder folder;
  const std::string content =
      FormatLabels({{"index/a.jpg", 0, 1, Split::kIndex}, {"query/b.jpg", 7, 2, Split::kQuery}});
  EXPECT_EQ(content, "path,instance,view,split\nindex/a.jpg,0,1,index\nquery/b.jpg,7,2,query\n");
  ASSERT_TRUE(base::WriteFileDurably(folder.Path("labels.csv"), content).ok());
  const absl::StatusOr<std::vector<Label>> labels = ReadLabels(folder.Path(""));
  ASSERT_TRUE(labels.ok()) << labels.status();
  ASSERT_EQ(labels->size(), 2u);
  EXPECT_EQ((*labels)[1].path, "query/b.jpg");
  EXPECT_EQ((*labels)[1].instance, 7);
  EXPECT_EQ((*labels)[1].view, 2);
  EXPECT_EQ((*labels)[1].split, Split::kQuery);
  EXPECT_FALSE((*labels)[1].hidden.has_value());
}

TEST(LabelsTest, SayWhatIsHiddenWhereAllKnowIt) {
  const ::sightline::testing::TempFolder folder;
  std::vector<Label> written = {{"index/a.jpg", 0, 1, Split::kIndex, 0.0}, {"query/b.jpg", 7, 2, Split::kQuery, 0.3}};
  const std::string content = FormatLabels(written);
  EXPECT_EQ(content, "path,instance,view,split,hidden\nindex/a.jpg,0,1,index,0.000\nquery/b.jpg,7,2,query,0.300\n");
  ASSERT_TRUE(base::WriteFileDurably(folder.Path("labels.csv"), content).ok());
  const absl::StatusOr<std::vector<Label>> labels = ReadLabels(folder.Path(""));
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ((*labels)[0].hidden, 0.0);
  EXPECT_EQ((*labels)[1].hidden, 0.3);
  written[0].hidden.reset();
  EXPECT_EQ(FormatLabels(written), "path,instance,view,split\nindex/a.jpg,0,1,index\nquery/b.jpg,7,2,query\n");
}

TEST(LabelsTest, BadLinesAreNamed) {
  const ::sightline::testing::TempFolder folder;
  for (const std::string bad : {"a,b,c,d", "a,1,2,other", "a,1,2", "../a,1,2,index", "/etc/a,1,2,index", ",1,2,index",
                                "a,1,2,index,5", "a,one,2,index"}) {
    ASSERT_TRUE(base::WriteFileDurably(folder.Path("labels.csv"), "path,instance,view,split\n" + bad + "\n").ok());
    const absl::Status status = ReadLabels(folder.Path("")).status();
    EXPECT_EQ(base::GetErrorInfo(status).reason, "LABELS_INVALID") << bad;
    EXPECT_NE(status.message().find("line 2 "), absl::string_view::npos) << status;
  }
  for (const std::string bad : {"a,1,2,index", "a,1,2,index,", "a,1,2,index,nan", "a,1,2,index,1.01",
                                "a,1,2,index,-0.1", "a,1,2,index,0.3,0"}) {
    ASSERT_TRUE(
        base::WriteFileDurably(folder.Path("labels.csv"), "path,instance,view,split,hidden\n" + bad + "\n").ok());
    const absl::Status status = ReadLabels(folder.Path("")).status();
    EXPECT_EQ(base::GetErrorInfo(status).reason, "LABELS_INVALID") << bad;
    EXPECT_NE(status.message().find("\"path,instance,view,split,hidden\""), absl::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace sightline::scene
