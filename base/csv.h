// CsvReader: reads comma-separated tables of unknown origin strictly (RFC 4180), one line at a time, so that a table of
// millions of rows needs no more memory than its text.
//
// Fields may be quoted ("" for a quote inside of quotes) and lines end with LF or CRLF; a byte order mark in front is
// skipped, blank lines are too. A row is one line: quoted line breaks are refused, as are quotes inside of unquoted
// fields, rows shorter or longer than the header, two columns of one name, NUL bytes, and what is beyond the limits.
//
// Threading: a CsvReader belongs to one thread. Ownership: views `text`, which must outlive it; the fields of a row
// are valid until the next Next. Failure: INVALID_ARGUMENT with reason INVALID_CSV that names the file and the line.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open("photos.csv", text));
//   SIGHTLINE_ASSIGN_OR_RETURN(const size_t path, csv.Column("path"));
//   while (true) {
//     SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
//     if (!more) break;
//     if (!base::LeadsInside(csv[path])) return csv.Wrong(path, "it must stay in the folder. Correct it.");
//   }
#ifndef SIGHTLINE_BASE_CSV_H_
#define SIGHTLINE_BASE_CSV_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::base {

struct CsvLimits {
  size_t max_line_bytes = 64 << 10;
  size_t max_columns = 256;
  int64_t max_rows = 20'000'000;  // without the header
};

class CsvReader {
 public:
  // The first line names the columns. `name` is that of the file, for the errors.
  static absl::StatusOr<CsvReader> Open(absl::string_view name, absl::string_view text, const CsvLimits& limits = {});
  // A table without a line of names: `columns` are its columns.
  static absl::StatusOr<CsvReader> OpenPlain(absl::string_view name, absl::string_view text,
                                             std::vector<std::string> columns, const CsvLimits& limits = {});

  // Where a column stands.
  absl::StatusOr<size_t> Column(absl::string_view column) const;
  std::optional<size_t> FindColumn(absl::string_view column) const;
  const std::vector<std::string>& columns() const { return columns_; }

  // Goes on to the next row; false behind the last.
  absl::StatusOr<bool> Next();

  // Of the row that Next went to.
  absl::string_view operator[](size_t column) const { return fields_[column]; }
  absl::StatusOr<int64_t> Int(size_t column, int64_t least, int64_t most) const;
  // NaN and the infinities are refused.
  absl::StatusOr<double> Number(size_t column, double least, double most) const;

  // From 1; the header counts.
  int64_t line() const { return line_; }
  // The error of a caller that does not accept the value of a column in this row: "FILE, line N: COLUMN is "VALUE";
  // RULE". `rule` says what it must be and what to do, as sentences.
  absl::Status Wrong(size_t column, absl::string_view rule) const;

 private:
  CsvReader(absl::string_view name, absl::string_view text, const CsvLimits& limits);

  // The next line that is not blank, split into fields_; false behind the last.
  absl::StatusOr<bool> ReadLine();
  absl::Status Split(absl::string_view line);
  absl::Status Problem(absl::string_view problem) const;

  std::string name_;
  absl::string_view rest_;
  CsvLimits limits_;
  std::vector<std::string> columns_;
  std::vector<std::string> fields_;  // those of earlier rows are overwritten, to keep their memory
  size_t field_count_ = 0;
  int64_t line_ = 0;
  int64_t rows_ = 0;
};

// Whether a path of a table names something below the folder that it is relative to: not empty, not absolute, without a
// ".." and without NUL bytes. Links are followed as the owner of the folder has laid them.
bool LeadsInside(absl::string_view path);

// A piece of foreign text for an error: in quotes, escaped, cut to 60 bytes.
std::string QuotedPiece(absl::string_view text);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_CSV_H_
