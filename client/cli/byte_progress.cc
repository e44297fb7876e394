#include "client/cli/byte_progress.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr double kRedrawMilliseconds = 100;
constexpr double kLineMilliseconds = 5000;

}  // namespace

ByteProgress::ByteProgress(Context& context, std::string what)
    : context_(context), what_(std::move(what)), drawn_at_(context.clock.Steady()) {}

ByteProgress::~ByteProgress() {
  if (context_.err_is_terminal && drawn_) context_.err.Write("\n");
}

void ByteProgress::Update(int64_t done, int64_t total) {
  const double waited = base::MillisecondsBetween(drawn_at_, context_.clock.Steady());
  const bool first_on_terminal = context_.err_is_terminal && !drawn_;
  if (!first_on_terminal && waited < (context_.err_is_terminal ? kRedrawMilliseconds : kLineMilliseconds)) return;
  std::string line = what_;
  if (total > 0) {
    absl::StrAppend(&line, " ", FormatBytes(done), " of ", FormatBytes(total), " (",
                    static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(total)), "%)");
  }
  context_.err.Write(context_.err_is_terminal ? absl::StrCat("\r", line, "\x1b[K") : absl::StrCat(line, "\n"));
  drawn_ = true;
  drawn_at_ = context_.clock.Steady();
}

}  // namespace sightline::cli
