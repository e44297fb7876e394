#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/reference/api.h"

namespace sightline::reference {
namespace {

Comment ParseComment(absl::string_view text) {
  Comment comment;
  std::string paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) comment.paragraphs.push_back(std::exchange(paragraph, {}));
  };
  bool first_row = true;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) {
      end_paragraph();
    } else if (line[0] == '|') {
      end_paragraph();
      std::vector<absl::string_view> cells = absl::StrSplit(line, '|');
      // Begins and ends with an empty cell; the header and the line under it say nothing.
      if (cells.size() == 5 && !first_row && cells[1] != "---") {
        comment.codes.push_back({std::string(absl::StripAsciiWhitespace(cells[1])),
                                 std::string(absl::StripAsciiWhitespace(cells[2])),
                                 std::string(absl::StripAsciiWhitespace(cells[3]))});
      }
      first_row = false;
    } else {
      if (!paragraph.empty()) paragraph += ' ';
      absl::StrAppend(&paragraph, line);
    }
  }
  end_paragraph();
  return comment;
}

}  // namespace

std::string Comment::Text() const { return absl::StrJoin(paragraphs, "\n\n"); }

std::string Comment::Summary() const {
  if (paragraphs.empty()) return {};
  const absl::string_view text = paragraphs.front();
  return std::string(absl::StripSuffix(text.substr(0, text.find(". ")), "."));
}

template <typename Descriptor>
Comment CommentOf(const Descriptor* descriptor) {
  google::protobuf::SourceLocation location;
  return descriptor->GetSourceLocation(&location) ? ParseComment(location.leading_comments) : Comment();
}

template Comment CommentOf(const google::protobuf::Descriptor*);
template Comment CommentOf(const google::protobuf::FieldDescriptor*);
template Comment CommentOf(const google::protobuf::EnumDescriptor*);
template Comment CommentOf(const google::protobuf::EnumValueDescriptor*);
template Comment CommentOf(const google::protobuf::ServiceDescriptor*);
template Comment CommentOf(const google::protobuf::MethodDescriptor*);

}  // namespace sightline::reference
