// Arithmetic of whole numbers that Swift does not have.

/// How many units make a count, the last of them perhaps in part.
func quotient(_ count: Int, _ unit: Int) -> Int { (count + unit - 1) / unit }

/// The greatest number that divides two, which are not negative; of 0 and a number, the number.
func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
  var (a, b) = (a, b)
  while b != 0 { (a, b) = (b, a % b) }
  return a
}
