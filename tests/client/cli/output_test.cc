// Where output goes: full disks, devices, pipes, links and folders in the place of a file.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/client/support/cli_test.h"

namespace sightline::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class OutputTest : public testing::CliTest {
 protected:
  OutputTest() {
    v1::ImageRecord image;
    image.set_id("a.jpg");
    image.set_image("bytes of a");
    server_.KeepImage("shop", image, v1::IMAGE_VIEW_PREVIEW);
  }

  int Get(const std::string& output) {
    return RunWords({"get", "a.jpg", "-c", "shop", "--view", "preview", "--output", output});
  }
};

TEST_F(OutputTest, AFullDiskIsAnError) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full < 0) GTEST_SKIP() << "/dev/full is not there";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"list", "-c", "shop"}, {"help"}, {"get", "a.jpg", "-c", "shop", "--json"}}) {
    FdSink out(full, "standard output");
    EXPECT_EQ(RunInto(out, words), kError) << words[0];
    EXPECT_THAT(err_, HasSubstr("cannot write standard output: No space left on device.")) << words[0];
  }
  ::close(full);
}

TEST_F(OutputTest, APipeIsWrittenToAndStaysOne) {
  const std::string pipe = Path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  // Open for both, so that neither side waits for the other.
  const int end = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(end, 0);
  EXPECT_EQ(Get(pipe), kOk) << err_;
  std::string read(100, '\0');
  read.resize(static_cast<size_t>(std::max<ssize_t>(0, ::read(end, read.data(), read.size()))));
  ::close(end);
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(read, "bytes of a");
}

TEST_F(OutputTest, ALinkIsFollowed) {
  File("target", "old");
  fs::create_symlink("target", Path("link"));
  EXPECT_EQ(Get(Path("link")), kOk) << err_;
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  EXPECT_EQ(*base::ReadFile(Path("target"), 100), "bytes of a");
}

TEST_F(OutputTest, AFolderIsNoFile) {
  fs::create_directory(Path("folder"));
  EXPECT_EQ(Get(Path("folder")), kError);
  EXPECT_THAT(err_, AllOf(StartsWith("sightline: "), HasSubstr("folder is a folder. Name a file")));
  EXPECT_FALSE(fs::exists(Path("folder.tmp")));
}

TEST_F(OutputTest, AnExportThatIsInterruptedLeavesNothing) {
  interrupted_ = true;
  EXPECT_EQ(RunWords({"export", "shop", Path("shop.safetensors")}), kInterrupted);
  EXPECT_THAT(err_, HasSubstr("no file was written"));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
  interrupted_ = false;
  EXPECT_EQ(RunWords({"export", "shop", folder_.path()}), kError);
  EXPECT_THAT(err_, HasSubstr("is a folder or a device. Name a file."));
}

TEST_F(OutputTest, AListingOfManyPagesHasItsTitlesOnce) {
  const auto client = *client::Client::Connect({.address = server_.address()});
  int next = 0;
  const auto source = [&]() -> std::optional<v1::IndexRequest> {
    if (next == 1200) return std::nullopt;
    v1::IndexRequest request;
    request.set_collection("shop");
    request.mutable_item()->set_id(absl::StrCat("i", next));
    request.mutable_item()->set_image(absl::StrCat(next++));
    return request;
  };
  ASSERT_TRUE(client->IndexMany(source, [](const auto&) {}).ok());
  EXPECT_EQ(RunWords({"list", "-c", "shop"}), kOk);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 1 + 1 + 1200);
  EXPECT_THAT(out_, StartsWith("id "));
  EXPECT_EQ(out_.find("revision", 10), std::string::npos);
}

}  // namespace
}  // namespace sightline::cli
