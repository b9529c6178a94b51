"""Operations out of recorded or planned traffic. One file in `readers/`, one format; `reading` reads them all."""
